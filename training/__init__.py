"""How the models of the ocr service are made: generator, trainings, calibration, evaluation, export."""

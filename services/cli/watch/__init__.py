"""`platewarden watch`: alerts as they come, on a live board or as lines.

`board` and `sound` are what the board shows and when it rings, `acts` what the person does and how it gets
there over a bad link, `feed` where alerts come from; `app` and `forms` are the screen.
"""

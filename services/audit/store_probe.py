"""What the log says of who may see whose reads. One method is one transaction."""

from __future__ import annotations

from services.audit.core.probe import Act
from services.audit.store_reader import Reader

# Intents that were carried out, in order, each with what it says. An outcome is an entry of the same action
# that names the intent.
_ACTS = """
    WITH act AS (
        SELECT action.log_index, action.value AS action
        FROM audit.log_field AS action
        WHERE action.name = 'action'
          AND action.value IN ('agreement.accept', 'agreement.end', 'account.vet', 'account.unvet')
    ), done AS (
        SELECT subject.value AS intent_id
        FROM act
        JOIN audit.log_field AS subject ON subject.log_index = act.log_index AND subject.name = 'subject'
        JOIN audit.log_field AS kind
          ON kind.log_index = act.log_index AND kind.name = 'kind' AND kind.value = 'outcome'
        JOIN audit.log_field AS result
          ON result.log_index = act.log_index AND result.name = 'result' AND result.value = 'DONE'
    )
    SELECT act.action, resource.value AS resource,
           ARRAY(SELECT (fact.name, fact.value) FROM audit.log_field AS fact
                 WHERE fact.log_index = act.log_index AND fact.name LIKE 'detail.%') AS facts
    FROM act
    JOIN audit.log_leaf AS leaf USING (log_index)
    JOIN done ON done.intent_id = leaf.entry_id::text
    JOIN audit.log_field AS resource ON resource.log_index = act.log_index AND resource.name = 'resource'
    ORDER BY act.log_index
"""


class ProbeStore(Reader):
    """The log, as probes read it."""

    async def acts(self) -> list[Act]:
        """Acts about agreements and about access to data of others that were carried out, in their order."""
        return [
            Act(action, resource, {name.removeprefix("detail."): value for name, value in facts})
            for action, resource, facts in await self._fetch(_ACTS)
        ]

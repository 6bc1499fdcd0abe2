"""What the dashboards show: a row a panel. `tools/dashboards.py` makes the files of Grafana of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

FAULTS: Final = 'code=~"INTERNAL|UNKNOWN|UNAVAILABLE|DEADLINE_EXCEEDED|DATA_LOSS|UNIMPLEMENTED"'
# Calls that are open for as long as somebody listens say nothing by their length.
SHORT: Final = 'method!~".*/(Watch|Subscribe|SubmitReads|RecognizeStream|EscortVendor).*"'


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: What it shows, for somebody at night.
        queries: PromQL, each with its legend; `{{label}}` puts in a label's value.
        unit: Grafana's name of the unit.
        about: Why one looks at it, and what is usual.
        now: The present value alone, large; red from `red` on.
    """

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    about: str = ""
    now: bool = False
    red: float | None = None


def _rate(metric: str, by: str, matchers: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{matchers}}}[$__rate_interval]))"


def _quantile(share: float, metric: str, by: str = "", matchers: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {_rate(metric + '_bucket', labels, matchers)})"


def _quantiles(metric: str, by: str = "", matchers: str = "") -> dict[str, str]:
    legend = f" {{{{{by}}}}}" if by else ""
    return {
        _quantile(share, metric, by, matchers): f"p{share * 100:.0f}{legend}" for share in (0.5, 0.95, 0.99)
    }


OVERVIEW: Final = (
    Panel(
        "Replicas that serve",
        {"sum by (job) (platewarden_serving)": "{{job}}"},
        about="Fewer than usual: see Service is down.",
        now=True,
    ),
    Panel(
        "Alerts of this monitoring that fire",
        {'count(ALERTS{alertstate="firing"}) or vector(0)': "firing"},
        now=True,
        red=1,
    ),
    Panel(
        "Reads past their day",
        {"max(platewarden_search_days_over)": "days"},
        about="Days that are over and not purged. 0, but for some minutes after midnight (UTC).",
        now=True,
        red=1,
    ),
    Panel(
        "Log not witnessed",
        {"clamp_min(max(platewarden_audit_log_size) - max(platewarden_audit_witnessed_size), 0)": "entries"},
        about="Entries that no witness has signed yet. Falls to 0 at each turn of the witness.",
        now=True,
    ),
    Panel(
        "Silent cameras",
        {'max(platewarden_search_maintenance{kind="silent"})': "cameras"},
        now=True,
        red=1,
    ),
    Panel(
        "First certificate to end",
        {'min(platewarden_certificate_not_after_timestamp_seconds{use="own"}) - time()': "left"},
        "s",
        now=True,
    ),
    Panel("Calls", {_rate("grpc_server_handled_total", "job"): "{{job}}"}, "reqps", "Traffic by service."),
    Panel(
        "Calls that fail by our fault",
        {
            f"{_rate('grpc_server_handled_total', 'job', FAULTS)} / {_rate('grpc_server_handled_total', 'job')}"
            f" or 0 * {_rate('grpc_server_handled_total', 'job')}": "{{job}}"
        },
        "percentunit",
        "Errors: share of answers with a code that is our fault. What a caller did wrong is not in it.",
    ),
    Panel(
        "Time of a call, p95",
        {_quantile(0.95, "grpc_server_handling_seconds", "job", SHORT): "{{job}}"},
        "s",
        "Latency, without streams.",
    ),
    Panel(
        "Calls under way",
        {"sum by (job) (grpc_server_under_way)": "{{job}}"},
        about="Saturation: open streams are among them.",
    ),
    Panel("Reads", {_rate("platewarden_matcher_reads_total", "status"): "{{status}}"}, "ops"),
    Panel("Hits", {_rate("platewarden_matcher_matches_total", "category"): "{{category}}"}, "ops"),
    Panel("Questions", {_rate("platewarden_search_questions_total", "end"): "{{end}}"}, "ops"),
    Panel("Alerts that wait", {"max by (kind) (platewarden_alerts_waiting)": "{{kind}}"}),
    Panel("Entries of the log", {_rate("platewarden_audit_entries_total", "kind"): "{{kind}}"}, "ops"),
    Panel(
        "Pages of the console",
        {_rate("platewarden_console_answers_total", "page, code"): "{{page}} {{code}}"},
        "reqps",
        "Codes of 500 and more are the console's own or say that a service is away.",
    ),
    Panel("Time to a page", _quantiles("platewarden_console_answer_seconds"), "s"),
    Panel(
        "Pages under way",
        {"sum by (page) (platewarden_console_under_way)": "{{page}}"},
        about="Each of the board is the screen of somebody who waits for alerts.",
    ),
    Panel("Versions that run", {"count by (job, version) (platewarden_build_info)": "{{job}} {{version}}"}),
)
READS: Final = (
    Panel("Frames", {_rate("platewarden_ocr_frames_total", "outcome"): "{{outcome}}"}, "ops"),
    Panel(
        "Frames refused for the load",
        {_rate("platewarden_ocr_frames_refused_total", "why"): "{{why}}"},
        "ops",
        "Cameras keep what is refused and send it again; for long it means too few replicas of ocr.",
    ),
    Panel(
        "Time of recognition",
        _quantiles("platewarden_ocr_recognition_seconds"),
        "s",
        "From the image to its plates, waiting for a worker not included.",
    ),
    Panel("Plates", {_rate("platewarden_ocr_plates_total", "status"): "{{status}}"}, "ops"),
    Panel(
        "Bytes of images under way",
        {"sum by (instance) (platewarden_ocr_image_bytes_under_way)": "{{instance}}"},
        "bytes",
    ),
    Panel("Image store", _quantiles("platewarden_object_seconds", "operation"), "s"),
    Panel(
        "Image store fails",
        {_rate("platewarden_object_errors_total", "job, operation"): "{{job}} {{operation}}"},
        "ops",
    ),
    Panel(
        "Reads that were answered",
        {_rate("platewarden_matcher_reads_total", "status"): "{{status}}"},
        "ops",
        "stored and duplicate are usual; quarantined and conflict are a camera's fault.",
    ),
    Panel(
        "Reads of a batch",
        {
            _quantile(0.5, "platewarden_matcher_batch_reads"): "p50",
            _quantile(0.95, "platewarden_matcher_batch_reads"): "p95",
        },
    ),
    Panel(
        "Reads that matched", {"sum(rate(platewarden_matcher_hits_total[$__rate_interval]))": "hits"}, "ops"
    ),
    Panel(
        "Entries matched by list",
        {_rate("platewarden_matcher_matches_total", "source, category"): "{{source}} {{category}}"},
        "ops",
    ),
    Panel(
        "Revision of the hot lists",
        {
            "max(platewarden_matcher_stored_revision)": "stored",
            "min by (instance) (platewarden_matcher_index_revision)": "{{instance}}",
        },
        about="A replica below the stored revision loads just now.",
    ),
    Panel(
        "Hot lists known to be the newest",
        {"time() - platewarden_matcher_index_confirmed_timestamp_seconds": "{{instance}}"},
        "s",
        "Seconds ago. From 30 on a replica compares nothing.",
    ),
    Panel("Entries in memory", {"max by (instance) (platewarden_matcher_index_entries)": "{{instance}}"}),
    Panel("Look-backs open", {"max(platewarden_matcher_look_back_open)": "changes"}),
    Panel("Look-backs", {_rate("platewarden_matcher_look_backs_total", "end"): "{{end}}"}, "ops"),
    Panel("Reads stored", {_rate("platewarden_search_reads_total", "status"): "{{status}}"}, "ops"),
)
ALERTS: Final = (
    Panel("Alerts", {_rate("platewarden_alerts_feed_items_total", "kind"): "{{kind}}"}, "ops"),
    Panel(
        "From the alert to its hand-over",
        _quantiles("platewarden_alerts_delivery_lag_seconds"),
        "s",
        "To subscribers that are live. Under a second is usual.",
    ),
    Panel("Open streams", {"sum by (instance) (platewarden_alerts_subscribers)": "{{instance}}"}),
    Panel(
        "Alerts that wait",
        {"max by (kind) (platewarden_alerts_waiting)": "{{kind}}"},
        about="Nobody of the centre has acknowledged, or nobody has verified, and there is time left.",
    ),
    Panel(
        "The one that waits longest",
        {"max by (kind) (platewarden_alerts_waiting_age_seconds)": "{{kind}}"},
        "s",
    ),
    Panel(
        "Escalated within a day and still waiting",
        {"max by (kind) (platewarden_alerts_escalated_open)": "{{kind}}"},
    ),
    Panel("Escalations", {_rate("platewarden_alerts_escalations_total", "kind"): "{{kind}}"}, "ops"),
    Panel(
        "Not in the log yet",
        {"max(platewarden_alerts_outbox_depth)": "items"},
        about="Alerts go on while audit is away; what happened is told to it afterwards.",
    ),
    Panel("The oldest of it", {"max(platewarden_alerts_outbox_age_seconds)": "age"}, "s"),
    Panel("Webhooks", {_rate("platewarden_alerts_webhook_posts_total", "result"): "{{result}}"}, "ops"),
    Panel("Webhooks held", {"sum by (instance) (platewarden_alerts_webhooks_held)": "{{instance}}"}),
    Panel("Time of a commit", _quantiles("platewarden_commit_seconds", "", 'writer="alerts"'), "s"),
)
LOG: Final = (
    Panel("Entries of the log", {"max(platewarden_audit_log_size)": "entries"}),
    Panel("Entries by kind", {_rate("platewarden_audit_entries_total", "kind"): "{{kind}}"}, "ops"),
    Panel("Time of a commit", _quantiles("platewarden_commit_seconds", "", 'writer="log"'), "s"),
    Panel(
        "Entries of a commit",
        {
            'sum(rate(platewarden_commit_items_total{writer="log"}[$__rate_interval]))'
            ' / sum(rate(platewarden_commit_seconds_count{writer="log"}[$__rate_interval]))': "entries"
        },
    ),
    Panel(
        "Not witnessed",
        {"clamp_min(max(platewarden_audit_log_size) - max(platewarden_audit_witnessed_size), 0)": "entries"},
    ),
    Panel(
        "A witness signed",
        {"time() - (max(platewarden_audit_witnessed_timestamp_seconds) > 0)": "ago"},
        "s",
        "Seconds ago. Grows while nothing is appended, too.",
    ),
    Panel("Witnesses", {"max(platewarden_audit_witnesses)": "witnesses"}, now=True),
    Panel(
        "The log takes no entry",
        {"max(platewarden_audit_log_closed)": "closed"},
        about="1: a witness holds what the log does not. Nothing works until it is restored.",
        now=True,
        red=1,
    ),
    Panel(
        "The witness raises alarm",
        {"max by (origin) (platewarden_witness_alarm)": "{{origin}}"},
        now=True,
        red=1,
    ),
    Panel(
        "The witness looked",
        {"time() - (max(platewarden_witness_followed_timestamp_seconds) > 0)": "ago"},
        "s",
    ),
    Panel(
        "Signed by the witness",
        {"max by (origin) (platewarden_witness_signed_size)": "{{origin}}"},
        about="Entries under the last checkpoint that it signed.",
    ),
    Panel(
        "A checkpoint was copied",
        {"time() - (max(platewarden_audit_checkpoint_copied_timestamp_seconds) > 0)": "ago"},
        "s",
        "To the second place, seconds ago. Grows while nothing is appended, too.",
    ),
    Panel(
        "Copies that failed",
        {"sum(increase(platewarden_audit_checkpoint_copies_failed_total[1h]))": "in an hour"},
    ),
    Panel(
        "Acts without outcome", {"sum(increase(platewarden_audit_unfinished_acts_total[1h]))": "in an hour"}
    ),
    Panel(
        "Flags about misuse",
        {"sum by (rule) (increase(platewarden_audit_misuse_flags_total[1d])) or vector(0)": "{{rule}}"},
    ),
    Panel(
        "What is refused",
        {
            _rate(
                "grpc_server_handled_total", "code", 'job="audit",code=~"PERMISSION_DENIED|UNAUTHENTICATED"'
            )
            + " or vector(0)": "{{code}}"
        },
        "ops",
    ),
    Panel(
        "Time of a decision",
        _quantiles(
            "grpc_server_handling_seconds",
            "",
            'job="audit",method="/alpr.audit.v1.AuthorizationService/Authorize"',
        ),
        "s",
    ),
)
SEARCH: Final = (
    Panel("Questions", {_rate("platewarden_search_questions_total", "kind, end"): "{{kind}} {{end}}"}, "ops"),
    Panel(
        "Time of a question",
        _quantiles("platewarden_search_question_seconds"),
        "s",
        "Until its outcome stands in the log. Analyses take longer than reads.",
    ),
    Panel("By kind, p95", {_quantile(0.95, "platewarden_search_question_seconds", "kind"): "{{kind}}"}, "s"),
    Panel(
        "Questions that failed",
        {
            'sum(rate(platewarden_search_questions_total{end="failed"}[$__rate_interval])) or vector(0)': "failed"
        },
        "ops",
    ),
    Panel("Reads stored", {_rate("platewarden_search_reads_total", "status"): "{{status}}"}, "ops"),
    Panel(
        "Time of a commit",
        _quantiles("platewarden_commit_seconds", "", 'writer=~"archive|motor_carrier"'),
        "s",
    ),
    Panel("Days past the retention period", {"max(platewarden_search_days_over)": "days"}, now=True, red=1),
    Panel(
        "The purge of today has not been made",
        {"max(platewarden_search_purge_due)": "due"},
        about="1 for some minutes after midnight (UTC).",
        now=True,
    ),
    Panel("Purges under way", {"max(platewarden_search_purges_open)": "purges"}, now=True),
    Panel(
        "A purge ended",
        {"(time() - (max(platewarden_search_purged_timestamp_seconds) > 0)) or vector(0)": "ago"},
        "s",
        "Seconds ago; 0 while none ever has.",
    ),
    Panel("Cameras with a notice", {"max by (kind) (platewarden_search_maintenance)": "{{kind}}"}),
)
PROCESSES: Final = (
    Panel(
        "Connections to the database, busy",
        {'sum by (job, pool) (platewarden_database_connections{state="busy"})': "{{job}} {{pool}}"},
    ),
    Panel(
        "Share of the connections there may be",
        {
            'sum by (job, pool) (platewarden_database_connections{state="busy"})'
            ' / sum by (job, pool) (platewarden_database_connections{state="most"})': "{{job}} {{pool}}"
        },
        "percentunit",
    ),
    Panel(
        "Wait for a connection, p99",
        {_quantile(0.99, "platewarden_database_acquire_seconds", "job"): "{{job}}"},
        "s",
    ),
    Panel(
        "Statements that failed",
        {_rate("platewarden_database_errors_total", "job, kind") + " or vector(0)": "{{job}} {{kind}}"},
        "ops",
        "Because the database was away, full or overloaded.",
    ),
    Panel(
        "Size of the database", {"max by (cluster) (platewarden_database_size_bytes)": "{{cluster}}"}, "bytes"
    ),
    Panel(
        "Write-ahead log was archived",
        {
            "(time() - max by (cluster) (platewarden_database_archived_timestamp_seconds)) or vector(0)": "{{cluster}}"
        },
        "s",
        "Seconds ago; 0 where nothing is archived. Older than archive_timeout: backups fall behind.",
    ),
    Panel(
        "Time of a commit, p99", {_quantile(0.99, "platewarden_commit_seconds", "writer"): "{{writer}}"}, "s"
    ),
    Panel("Wait for a commit", {"max by (writer) (platewarden_commit_waiting)": "{{writer}}"}),
    Panel(
        "The event loop is late, p99",
        {_quantile(0.99, "platewarden_event_loop_lag_seconds", "job"): "{{job}}"},
        "s",
        "Everybody waits so long. Over 100 ms something computes on the loop, or the processor is full.",
    ),
    Panel(
        "Processor",
        {_rate("process_cpu_seconds_total", "job, instance"): "{{job}} {{instance}}"},
        "percentunit",
    ),
    Panel(
        "Memory", {"max by (job, instance) (process_resident_memory_bytes)": "{{job}} {{instance}}"}, "bytes"
    ),
    Panel(
        "Open files",
        {
            "max by (job, instance) (process_open_fds) / max by (job, instance) (process_max_fds)": "{{job}} {{instance}}"
        },
        "percentunit",
    ),
    Panel(
        "Started",
        {"time() - max by (job, instance) (process_start_time_seconds)": "{{job}} {{instance}}"},
        "s",
    ),
    Panel(
        "Gauges were taken",
        {"time() - max by (job, part) (platewarden_measured_timestamp_seconds)": "{{job}} {{part}}"},
        "s",
        "Seconds ago: what the database alone knows is looked at every 15 seconds.",
    ),
    Panel(
        "Certificates end",
        {
            "clamp_max(min by (job, use) (platewarden_certificate_not_after_timestamp_seconds) - time(), 200 * 86400)": "{{job}} {{use}}"
        },
        "s",
        "From now; what is more than 200 days is drawn as 200.",
    ),
    Panel(
        "Spans of traces",
        {_rate("platewarden_spans_total", "job, result") + " or vector(0)": "{{job}} {{result}}"},
        "ops",
    ),
)

DASHBOARDS: Final[Mapping[str, tuple[str, Sequence[Panel]]]] = {
    "overview": ("Platewarden: overview", OVERVIEW),
    "reads": ("Platewarden: reads and matching", READS),
    "alerts": ("Platewarden: alerts and dispatch", ALERTS),
    "log": ("Platewarden: log and witness", LOG),
    "search": ("Platewarden: questions and retention", SEARCH),
    "processes": ("Platewarden: processes and databases", PROCESSES),
}

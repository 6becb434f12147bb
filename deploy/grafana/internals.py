"""Is it imapmeter itself? Its delays, limits, certificates, servers and settings."""
from expressions import (ANY_STEPS, FULL_STEPS, SERVER, SERVER_LEGEND, connects_failed, descriptors_used, failures,
                         quantiles, saturation, servers_down)
from grafana import (Column, Dashboard, Query, Row, bars, meanings, of_listener, of_process, of_upstream, quantile,
                     rate, series, share, stat, table, timeline, total)

HANDSHAKES = "imapmeter_tls_handshakes_total"
DELAY = "imapmeter_relay_delay_seconds"
DAY = 24 * 60 * 60
CERTIFICATE_DAYS = f"({of_listener('imapmeter_tls_certificate_not_after_timestamp_seconds')} - time()) / {DAY}"
CERTIFICATE_STEPS = (("red", None), ("orange", 7), ("green", 21))
RELOADED = of_process("imapmeter_config_last_reload_successful")


def handshakes(*matchers):
    return rate(of_listener(HANDSHAKES, *matchers))


def handshake_panels(side, whose):
    """`side` is fixed in each: the client's and the server's handshakes belong to the same sessions."""
    fixed = f'side="{side}"'
    return [
        series(f"Handshakes with {whose}",
               "TLS handshakes by version; none: those that failed. Unit: handshakes per second.",
               "cps", Query(total(handshakes(fixed), "version"), "{{version}}"), stacked=True, width=8,
               legend="bottom"),
        series(f"Failed handshakes with {whose}",
               "By how they failed. Unit: handshakes per second.",
               "cps", Query(total(handshakes(fixed, 'result!="ok"'), "result"), "{{result}}"), width=8),
        series(f"Resumed handshakes with {whose}",
               "Of the handshakes that succeeded, those that took up an earlier session: they cost little. "
               "Unit: handshakes per second.",
               "cps", Query(total(handshakes(fixed, 'result="ok"'), "resumed"), "resumed {{resumed}}"), width=8,
               legend="bottom"),
    ]


US = Row("Is it us?", [
    stat("Relay delay, p99",
         "From reading octets to handing them on, where nothing is blocked: what imapmeter adds. Unit: seconds.",
         "s", Query(quantile(0.99, rate(of_listener(f"{DELAY}_bucket"))), "p99"),
         steps=(("green", None), ("orange", 0.001), ("red", 0.01))),
    stat("Failures of imapmeter",
         "Sessions that a fault, a stop or a want of imapmeter's own has cut or refused. Unit: failures per second.",
         "cps", Query(total(failures('party="imapmeter"')), "failures"), decimals=2,
         steps=(("green", None), ("red", 0.001))),
    stat("Log lines dropped",
         "Lines of the log that were not written, since the start. Unit: count of lines.",
         "short", Query(total(f"increase({of_process('imapmeter_log_lines_dropped_total')}[$__range])"), "dropped"),
         decimals=0, steps=(("green", None), ("orange", 1))),
    stat("Certificate runs out in",
         "The certificate of the chosen listeners that expires first. Unit: days.",
         "d", Query(f"min({CERTIFICATE_DAYS})", "first"), steps=CERTIFICATE_STEPS, decimals=1),
    stat("Last reload",
         "Whether all the imapmeters chosen use the settings and certificates that they were last told to read. "
         "Unit: none, 1 is yes.",
         "short", Query(f"min({RELOADED})", "successful"), mappings=meanings({1: ("successful", "green"),
                                                                              0: ("failed", "red")})),
    stat("Servers not up",
         "Servers whose last health check failed. Unit: count of servers.",
         "short", Query(servers_down(), "down"), steps=ANY_STEPS, decimals=0),
    series("Relay delay",
           "From reading octets to handing on the same octets, in 1 turn of 64 in which nothing was blocked. "
           "Unit: seconds.",
           "s", *quantiles(DELAY)),
    series("Relay delay by direction, p99",
           "99 of 100 are handed on sooner. Unit: seconds.",
           "s", Query(quantile(0.99, rate(of_listener(f"{DELAY}_bucket")), "direction"), "{{direction}}")),
    series("Failures of imapmeter by kind",
           "drain: its stop cut a session. resources: descriptors, memory or ports were used up. internal: a fault. "
           "Unit: failures per second.",
           "cps", Query(total(failures('party="imapmeter"'), "kind"), "{{kind}}"), width=8, legend="bottom"),
    series("Refused by policy",
           "What a limit, a time-out or a rule of this imapmeter or its server has refused or ended, by kind. "
           "Unit: failures per second.",
           "cps", Query(total(failures('party="policy"'), "kind"), "{{kind}}"), width=8, legend="bottom"),
    series("Said by imapmeter itself",
           "What it has said or taken out: a greeting, a BYE, words of CAPABILITY, its own lines before TLS. "
           "Unit: lines per second.",
           "cps", Query(total(rate(of_listener("imapmeter_authored_total")), "what"), "{{what}}"), width=8,
           legend="bottom"),
])

LIMITS = Row("Limits, and how close they are", [
    bars("Used of the limits",
         "Of each limit in force, how much is used now; new connections are refused where it is full. "
         "A limit that is off is not shown, nor are those per network and of handshakes at once. Unit: share.",
         "percentunit", Query(saturation(), "{{instance}} {{listener}} {{limit}}"),
         Query(descriptors_used(), "{{instance}} open files"), maximum=1, steps=FULL_STEPS),
    series("Used of the limits over time",
           "The same; steps that never come down are a leak or a fleet that grows. Unit: share.",
           "percentunit", Query(saturation(), "{{instance}} {{listener}} {{limit}}"),
           Query(descriptors_used(), "{{instance}} open files"), maximum=1),
    table("Limits in force",
          "As configured, or what the machine gives; under the listener all those of the whole process. "
          "Unit: as the limit's name says.",
          ["instance", "listener", "limit"],
          Column("Limit", f"sum by (instance, listener, limit) ({of_process('imapmeter_limit')})", "none"), width=12),
    series("Sessions that wait",
           "Sessions that wait because the client, or the server, does not read what is meant for it. "
           "Unit: count of sessions.",
           "short", Query(total(of_listener("imapmeter_blocked_sessions"), "side"), "{{side}} does not read"), width=6,
           legend="bottom"),
    series("Time spent waiting",
           "How long sessions wait for that side, all together: 1 is one session that waits always. "
           "Unit: seconds per second.",
           "none", Query(total(rate(of_listener("imapmeter_blocked_seconds_total")), "side"), "{{side}} does not read"),
           width=6, legend="bottom"),
])

PROCESS = Row("The process", [
    series("Processor",
           "Processors in use by imapmeter: 100 % is one of them. Unit: share of one processor.",
           "percentunit", Query(rate(of_process("process_cpu_seconds_total")), "{{instance}}"), width=8,
           legend="bottom"),
    series("Memory",
           "Resident and virtual memory of the process, and the octets kept for peers that do not read. Unit: bytes.",
           "bytes", Query(of_process("process_resident_memory_bytes"), "{{instance}} resident"),
           Query(of_process("process_virtual_memory_bytes"), "{{instance}} virtual"),
           Query(of_process("imapmeter_relay_buffer_bytes"), "{{instance}} relay buffers"), width=8, legend="bottom"),
    series("Open files",
           "Descriptors in use; a session takes two. Unit: count of descriptors.",
           "short", Query(of_process("process_open_fds"), "{{instance}}"), width=8, legend="bottom"),
    series("Running since",
           "Time since the process started: a line that falls to zero is a restart. Unit: seconds.",
           "s", Query(f"time() - {of_process('process_start_time_seconds')}", "{{instance}}"), width=8,
           legend="bottom"),
    series("Bytes",
           "Octets of IMAP accepted by the receiving side, without TLS. Unit: bytes per second.",
           "Bps", Query(total(rate(of_listener("imapmeter_bytes_total")), "direction"), "{{direction}}"), width=8,
           legend="bottom"),
    series("Bytes of messages",
           "Octets of literals: mail rather than protocol. Unit: bytes per second.",
           "Bps", Query(total(rate(of_listener("imapmeter_literal_bytes_total")), "direction"), "{{direction}}"),
           width=8, legend="bottom"),
])

TLS = Row("TLS", [
    *handshake_panels("client", "clients"),
    *handshake_panels("upstream", "servers"),
    bars("Certificates run out in",
         "Time until each certificate now served expires. Unit: days.",
         "d", Query(CERTIFICATE_DAYS, "{{listener}} {{certificate}}"), steps=CERTIFICATE_STEPS, width=8),
    series("STARTTLS",
           "Attempts to put TLS on a connection: refused, stripped and injection have all ended it; the latter two "
           "may be an attack. Unit: attempts per second.",
           "cps", Query(total(rate(of_listener("imapmeter_starttls_total")), "side, result"), "{{side}} {{result}}"),
           width=8),
    timeline("Servers' certificates verified",
             "Whether the upstream's certificate is verified; plaintext is not. Unit: none, 1 is yes.",
             "short", Query(f"min by (upstream) ({of_upstream('imapmeter_upstream_tls_verify')})", "{{upstream}}"),
             meanings({1: ("verified", "green"), 0: ("not verified", "orange")}), width=8),
])

SERVERS = Row("Servers", [
    timeline("Servers up",
             "The last health check of each server, as the imapmeter that sees it worst. Unit: none, 1 is up.",
             "short", Query(f"min by ({SERVER}) ({of_upstream('imapmeter_upstream_up')})", SERVER_LEGEND),
             meanings({1: ("up", "green"), 0: ("down", "red")})),
    series("Sessions by server",
           "Sessions that hold a connection to the server. Unit: count of sessions.",
           "short", Query(total(of_upstream("imapmeter_upstream_sessions"), SERVER), SERVER_LEGEND), stacked=True),
    series("Connects by result",
           "Once for each server that a session tried; ok: its greeting was read. Unit: connects per second.",
           "cps", Query(total(rate(of_upstream("imapmeter_upstream_connects_total")), f"{SERVER}, result"),
                        SERVER_LEGEND + " {{result}}")),
    series("Connects that failed",
           "By server, whatever the reason. Unit: connects per second.",
           "cps", Query(connects_failed(), SERVER_LEGEND)),
    series("Health checks failed",
           "Of the checks of each server, those that failed. Unit: share.",
           "percentunit",
           Query(share(rate(of_upstream("imapmeter_upstream_health_checks_total", 'result="failed"')),
                       rate(of_upstream("imapmeter_upstream_health_checks_total")), SERVER), SERVER_LEGEND),
           maximum=1, width=8),
    series("Failures of the server",
           "What the table of docs/verdict.md lays at the server's door, by kind. Unit: failures per second.",
           "cps", Query(total(failures('party="server"'), "kind"), "{{kind}}"), width=8),
    series("Capabilities changed",
           "How often a server could do something else than before: an upgrade, or servers that differ. Which words "
           "came and went is in /api/v1/events. Unit: changes per second.",
           "cps", Query(total(rate(of_upstream("imapmeter_upstream_capability_changes_total")), f"{SERVER}, state"),
                        SERVER_LEGEND + " {{state}}"), width=8),
])

CONFIGURATION = Row("Configuration", [
    series("Reloads",
           "How often imapmeter was told to read its settings again, and how it went. Unit: reloads per second.",
           "cps", Query(total(rate(of_process("imapmeter_config_reloads_total")), "result"), "{{result}}"), width=8,
           legend="bottom"),
    series("Settings in use since",
           "Time since the settings in use were read. Unit: seconds.",
           "s", Query(f"time() - {of_process('imapmeter_config_last_reload_success_timestamp_seconds')}",
                      "{{instance}}"), width=8, legend="bottom"),
    table("Listeners",
          "Where each listens and which upstream it relays to. Unit: count of imapmeters.",
          ["listener", "bind", "upstream"],
          Column("imapmeters", f"count by (listener, bind, upstream) ({of_listener('imapmeter_listener_info')})",
                 "short"), width=8),
])

DASHBOARD = Dashboard("internals", "Proxy internals",
                      "Is it imapmeter itself? Its delays, limits, certificates, servers and settings.",
                      [US, LIMITS, PROCESS, TLS, SERVERS, CONFIGURATION])

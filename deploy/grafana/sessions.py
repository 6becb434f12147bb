"""What the server says of itself: the 18 members of ImapStatusCode, response codes, BYE; and how sessions end."""
from expressions import (BAD_STEPS, GOOD_STEPS, SERVER, SERVER_LEGEND, failures, in_range, quantiles, responses, top,
                         unrequested_bye, unrequested_bye_share, went_well)
from grafana import (Column, Dashboard, Query, Row, bars, heatmap, of_listener, of_upstream, rate, series, stat, table,
                     tiles, total)

CODES = "imapmeter_response_codes_total"
STATES = of_listener("imapmeter_sessions")
OPAQUE = of_listener("imapmeter_sessions", 'state="opaque"')


def status_codes():
    return total(rate(of_listener("imapmeter_status_codes_total")), "status_code")


MEMBERS = Row("The 18 members of ImapStatusCode", [
    tiles("ImapStatusCode",
          "Each of the 18 members with its rate and course. One response can raise several: * OK [UNSEEN 12] raises "
          "OK, UNSEEN and UNSOLICITED; so they do not add up. Unit: responses per second.",
          "reqps", Query(status_codes(), "{{status_code}}")),
    bars("ImapStatusCode in all",
         "How often each of the 18 members was raised in the chosen time. Unit: count of responses.",
         "short", Query(in_range("imapmeter_status_codes_total", "status_code"), "{{status_code}}"), height=12),
    series("ImapStatusCode over time",
           "The 18 members as lines, to be compared. NOT_DEFINED is a line that is none of the five conditions: a "
           "server that does not keep to the protocol. Unit: responses per second.",
           "reqps", Query(status_codes(), "{{status_code}}"), height=12),
])

RESPONSES = Row("Responses and their codes", [
    series("Responses by kind and status",
           "Status responses of the server, each once. Unit: responses per second.",
           "reqps", Query(total(responses(), "kind, status"), "{{kind}} {{status}}")),
    bars("Top response codes",
         "The most frequent response codes of the chosen time, with the status that carried them; other: a code "
         "outside the registry. Unit: count of responses.",
         "short", Query(top(15, in_range(CODES, "status, code", 'code!="none"')), "{{status}} [{{code}}]")),
    series("Codes of NO, BAD and BYE",
           "Why the server refuses; none: it does not say. Unit: responses per second.",
           "reqps", Query(total(rate(of_listener(CODES, 'status=~"NO|BAD|BYE"')), "status, code"),
                          "{{status}} [{{code}}]")),
    table("Response codes",
          "All of them in the chosen time, each response once. Unit: count of responses.",
          ["status", "code"], Column("Responses", in_range(CODES, "status, code"), "short"), sort_by="Responses",
          width=12),
])

BYE = Row("BYE", [
    stat("Unrequested BYE",
         "Sessions ended or refused by the server's own BYE: every reason but logout. Unit: sessions per second.",
         "cps", Query(total(unrequested_bye()), "BYE"), decimals=2, width=6),
    stat("BYE not asked for",
         "Of the sessions in which the server said BYE, those whose client had not sent LOGOUT. Unit: share.",
         "percentunit", Query(unrequested_bye_share(), "BYE"), steps=BAD_STEPS, decimals=1, width=6),
    stat("Shut down",
         "Sessions ended by a BYE of reason shutdown: the server restarts, is overloaded, or somebody kicks users. "
         "Unit: sessions per second.",
         "cps", Query(total(rate(of_listener("imapmeter_bye_total", 'reason="shutdown"'))), "shutdown"), decimals=2,
         width=6),
    stat("Refused at the door",
         "Sessions greeted with BYE. Unit: sessions per second.",
         "cps", Query(total(rate(of_listener("imapmeter_bye_total", 'reason="greeting"'))), "greeting"), decimals=2,
         width=6),
    series("BYE by reason",
           "The first BYE of each session. logout: the client had asked. greeting: refused at the door. inactivity: "
           "autologout. shutdown: anything else. Unit: sessions per second.",
           "cps", Query(total(rate(of_listener("imapmeter_bye_total")), "reason"), "{{reason}}"), width=8),
    series("BYE ratio by listener",
           "Of the sessions with a BYE, those whose client had not sent LOGOUT. Unit: share.",
           "percentunit", Query(unrequested_bye_share("listener"), "{{listener}}"), maximum=1, width=8),
    series("BYE by server",
           "All of them, the answers to LOGOUT included: compare the servers. Unit: responses per second.",
           "reqps", Query(total(rate(of_upstream("imapmeter_server_responses_total", 'status="BYE"')), SERVER),
                          SERVER_LEGEND), width=8),
])

SESSIONS = Row("Sessions", [
    series("Sessions by state",
           "Open sessions. Unit: count of sessions.",
           "short", Query(total(STATES, "state"), "{{state}}"), stacked=True),
    series("Accepted and closed",
           "Connections accepted, and those that have come to their end. Unit: sessions per second.",
           "cps", Query(total(rate(of_listener("imapmeter_sessions_accepted_total"))), "accepted"),
           Query(total(rate(of_listener("imapmeter_sessions_closed_total"))), "closed")),
    series("Sessions that went well, share",
           "Good sessions of those that ended; wrong passwords and sessions that could not be read are left out. "
           "Unit: share.",
           "percentunit", Query(went_well("listener"), "{{listener}}"), maximum=1, steps=GOOD_STEPS),
    series("Outcomes",
           "How the sessions that saw a greeting ended, each once. Unit: sessions per second.",
           "cps", Query(total(rate(of_listener("imapmeter_session_outcomes_total")), "outcome"), "{{outcome}}"),
           stacked=True),
    series("Why sessions closed",
           "Each accepted connection once, with the first cause of its end; docs/metrics.md explains each reason. "
           "Unit: sessions per second.",
           "cps", Query(total(rate(of_listener("imapmeter_sessions_closed_total")), "reason"), "{{reason}}")),
    series("How far sessions came",
           "The same by the phase they had reached: those that end before authenticated never got to their mail. "
           "Unit: sessions per second.",
           "cps", Query(total(rate(of_listener("imapmeter_sessions_closed_total")), "phase"), "{{phase}}"),
           stacked=True),
    series("Cut sessions by party",
           "Sessions cut in the middle of something or turned away, given to who is to blame by the table of "
           "docs/verdict.md. Unit: failures per second.",
           "cps", Query(total(failures('kind!~"login_.*|command_.*"'), "party, kind"), "{{party}}: {{kind}}")),
    table("Reasons and phases",
          "Sessions that closed in the chosen time. Unit: count of sessions.",
          ["reason", "phase"],
          Column("Sessions", in_range("imapmeter_sessions_closed_total", "reason, phase"), "short"), sort_by="Sessions",
          width=12),
    series("How long sessions last",
           "Accepted connections, from accept to their end. Unit: seconds.",
           "s", *quantiles("imapmeter_session_duration_seconds")),
    heatmap("How long sessions last, all of them",
            "Sessions that ended, by how long they had lasted. Unit: seconds.",
            rate(of_listener("imapmeter_session_duration_seconds_bucket"))),
])

UNSEEN = Row("What is no longer seen, and what looks wrong", [
    series("Opaque share of the open sessions",
           "Sessions whose bytes flow on but are no longer read: what they say is in no panel. Unit: share.",
           "percentunit", Query(f"{total(OPAQUE, 'listener')} / {total(STATES, 'listener')}", "{{listener}}"),
           maximum=1, width=8),
    series("Sessions gone opaque",
           "By reason; docs/metrics.md says what helps against each. Unit: sessions per second.",
           "cps", Query(total(rate(of_listener("imapmeter_opaque_sessions_total")), "reason"), "{{reason}}"), width=8),
    series("Anomalies",
           "What did not keep to the protocol, by side, and was relayed all the same. Unit: anomalies per second.",
           "cps", Query(total(rate(of_listener("imapmeter_anomalies_total")), "side, kind"), "{{side}} {{kind}}"),
           width=8),
    bars("Anomalies in all",
         "The most frequent in the chosen time. Unit: count of anomalies.",
         "short", Query(top(10, in_range("imapmeter_anomalies_total", "side, kind")), "{{side}} {{kind}}"), width=8),
    series("COMPRESS",
           "What became of it: active, refused, aborted. Compressed sessions are read as long as "
           "limits.inflated_sessions suffices. Unit: attempts per second.",
           "cps", Query(total(rate(of_listener("imapmeter_compress_attempts_total")), "result"), "{{result}}"),
           width=8),
    series("Compressed and inflated",
           "Octets of compressed sessions as they passed, and what they became. Unit: bytes per second.",
           "Bps", Query(total(rate(of_listener("imapmeter_deflated_bytes_total")), "direction"),
                        "compressed {{direction}}"),
           Query(total(rate(of_listener("imapmeter_inflated_bytes_total")), "direction"), "inflated {{direction}}"),
           width=8),
])

DASHBOARD = Dashboard("sessions", "Sessions and BYE",
                      "All that the server says of itself, how sessions end, and which can no longer be read.",
                      [MEMBERS, RESPONSES, BYE, SESSIONS, UNSEEN])

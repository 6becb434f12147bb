"""Who can log in, who cannot, why, how long it takes, and with which programs."""
from expressions import (GOOD_STEPS, SERVER, SERVER_LEGEND, attempts, failures, in_range, logins_succeeded, quantiles,
                         server_logins_failed, top)
from grafana import (Column, Dashboard, Query, Row, bars, heatmap, of_listener, of_upstream, quantile, rate, series,
                     stat, table, total)

PHASES = "imapmeter_login_phase_duration_seconds"
HANDSHAKES = "imapmeter_tls_handshakes_total"

LOGINS = Row("Logins", [
    stat("Logins per second",
         "Each LOGIN and AUTHENTICATE when the server answers. Unit: attempts per second.",
         "cps", Query(total(attempts()), "attempts"), decimals=2),
    stat("Logins answered OK",
         "Of the attempts that were answered, those answered OK; wrong passwords count against it. Unit: share.",
         "percentunit", Query(logins_succeeded(), "OK"), steps=GOOD_STEPS, decimals=1),
    stat("Wrong passwords",
         "Attempts that were rejected: the user's trouble, or somebody guesses. Unit: attempts per second.",
         "cps", Query(total(attempts('result="rejected"')), "rejected"), decimals=2),
    stat("Temporary failures",
         "Attempts answered NO with UNAVAILABLE, INUSE, LIMIT, SERVERBUG or CONTACTADMIN: the server's trouble. "
         "Unit: attempts per second.",
         "cps", Query(total(attempts('result="temporary"')), "temporary"), decimals=2,
         steps=(("green", None), ("red", 0.01))),
    stat("Failing networks",
         "Client networks whose logins only fail, in the last 15 minutes. Many of them at once are somebody "
         "who guesses passwords from many places. Unit: count of networks.",
         "short", Query(total(of_listener("imapmeter_auth_failing_networks")), "networks"), decimals=0),
    stat("Logins before TLS",
         "LOGIN or AUTHENTICATE without TLS, refused by imapmeter and kept from the server: a client is set up "
         "wrongly. Unit: attempts per second.",
         "cps", Query(total(rate(of_listener("imapmeter_plaintext_logins_refused_total"))), "refused"), decimals=2),
    series("Logins by result",
           "success: OK. rejected: wrong password. temporary: the server's trouble. policy: without TLS. cancelled: by "
           "the client. aborted: no answer. Unit: attempts per second.",
           "cps", Query(total(attempts(), "result"), "{{result}}"), stacked=True),
    series("Share answered OK by listener",
           "Of the attempts that were answered, those answered OK. Unit: share.",
           "percentunit", Query(logins_succeeded("listener"), "{{listener}}"), maximum=1),
    bars("Why logins failed",
         "Attempts that were answered with anything but OK in the chosen time, by the code of the answer; none: an "
         "answer without a code. Unit: count of attempts.",
         "short", Query(in_range("imapmeter_auth_failures_total", "code") + " > 0", "{{code}}"), width=8),
    series("Failure codes",
           "The same over time. Unit: attempts per second.",
           "cps", Query(total(rate(of_listener("imapmeter_auth_failures_total")), "code"), "{{code}}"), width=8),
    series("Failing networks by listener",
           "Client networks (/24, /48) with a login that was refused and none that succeeded in the last 15 minutes. "
           "Unit: count of networks.",
           "short", Query(total(of_listener("imapmeter_auth_failing_networks"), "listener"), "{{listener}}"), width=8),
    bars("Mechanisms",
         "Attempts in the chosen time by mechanism; LOGIN_COMMAND is the command LOGIN. Unit: count of attempts.",
         "short", Query(in_range("imapmeter_auth_attempts_total", "mechanism") + " > 0", "{{mechanism}}"), width=8),
    series("Failed logins by mechanism",
           "Attempts answered with anything but OK. A mechanism that fails alone is one kind of client, or one way of "
           "the server to look passwords up. Unit: attempts per second.",
           "cps", Query(total(attempts('result!~"success|cancelled|aborted"'), "mechanism"), "{{mechanism}}"), width=8),
    series("Failed logins by party",
           "The same with cut and refused ones, given to who is to blame by the table of docs/verdict.md. "
           "Unit: failures per second.",
           "cps", Query(total(failures('kind=~"login_.*|plaintext|handshake"'), "party, kind"), "{{party}}: {{kind}}"),
           width=8),
])

SERVERS = Row("Logins by server", [
    series("Failed logins by server, share",
           "Of each server's logins, those that failed, wrong passwords left out. Unit: share.",
           "percentunit", Query(server_logins_failed(), SERVER_LEGEND), maximum=1),
    series("Logins by server and result",
           "temporary: the server's trouble; rejected: the user's; other: any other answer or none. "
           "Unit: attempts per second.",
           "cps", Query(total(rate(of_upstream("imapmeter_server_auth_attempts_total")), f"{SERVER}, result"),
                        SERVER_LEGEND + " {{result}}")),
])

DURATION = Row("How long it takes to log in", [
    series("Phases of a login, p95",
           "From accept to login in steps that do not overlap: client_tls, connect (to the server), upstream_tls, "
           "greeting, auth (the server looks the password up). 95 of 100 take less. Unit: seconds.",
           "s", Query(quantile(0.95, rate(of_listener(f"{PHASES}_bucket")), "phase"), "{{phase}}")),
    series("Answer to the password",
           "The phase auth: from the first LOGIN or AUTHENTICATE to its OK. What users feel when they open their mail. "
           "Unit: seconds.",
           "s", *quantiles(PHASES, 'phase="auth"')),
    heatmap("Answer to the password, all of them",
            "The phase auth by how long it took: a second band is a second kind of login, such as a slow password "
            "database. Unit: seconds.",
            rate(of_listener(f"{PHASES}_bucket", 'phase="auth"'))),
    series("Connecting and greeting",
           "p95 of the phases connect and greeting: the way to the server, and how soon it speaks. Unit: seconds.",
           "s", Query(quantile(0.95, rate(of_listener(f"{PHASES}_bucket", 'phase=~"connect|greeting"')),
                               "phase, listener"), "{{phase}} {{listener}}")),
])

ARRIVALS = Row("Who arrives", [
    series("Accepted and authenticated",
           "The gap between the two: refused, failed or abandoned logins, and scanners. Unit: sessions per second.",
           "cps", Query(total(rate(of_listener("imapmeter_sessions_accepted_total"))), "accepted"),
           Query(total(rate(of_listener("imapmeter_sessions_authenticated_total"))), "authenticated")),
    series("Client handshakes that failed",
           "TLS handshakes of clients by how they failed: not_tls is a scanner or a client without TLS, "
           "certificate errors and alerts are clients that do not trust the certificate. Unit: handshakes per second.",
           "cps", Query(total(rate(of_listener(HANDSHAKES, 'side="client"', 'result!="ok"')), "result"), "{{result}}")),
])

PROGRAMS = Row("Client programs", [
    bars("Programs",
         "Sessions that authenticated and ended in the chosen time, by the program that the client says it is; none: "
         "it does not say. Unit: count of sessions.",
         "short", Query(top(15, in_range("imapmeter_client_software_total", "software")), "{{software}}"), width=8),
    series("Problems by program",
           "Sessions whose outcome was not good, by program. One program alone points at its latest version. "
           "Unit: sessions per second.",
           "cps", Query(total(rate(of_listener("imapmeter_client_problems_total")), "software"), "{{software}}"),
           width=16),
    table("Programs and their problems",
          "Sessions in the chosen time. Those with a problem count also where nobody logged in, the first column does "
          "not. Unit: count of sessions.",
          ["software"],
          Column("Authenticated", in_range("imapmeter_client_software_total", "software"), "short"),
          *[Column(kind, in_range("imapmeter_client_problems_total", "software", f'kind="{kind}"'), "short")
            for kind in ("login_rejected", "login_failed", "degraded", "cut")], sort_by="Authenticated"),
])

DASHBOARD = Dashboard("logins", "Logins and clients",
                      "Who can log in, who cannot and why, how long it takes, and with which programs.",
                      [LOGINS, SERVERS, DURATION, ARRIVALS, PROGRAMS])

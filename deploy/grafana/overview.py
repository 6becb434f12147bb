"""Is mail well, and if not, whose fault is it?"""
from expressions import (ANY_STEPS, BAD_STEPS, GOOD_STEPS, SERVER_LEGEND, answered, failures, in_range,
                         logins_succeeded, p95, responses, server_columns, server_first_response,
                         server_logins_failed, servers_down, top, unrequested_bye, unrequested_bye_share, went_well)
from grafana import Column, Dashboard, Query, Row, bars, of_listener, of_process, rate, series, stat, table, total

WELL = Row("Is mail well?", [
    stat("Sessions that went well",
         "Of the sessions that ended, those that were good; wrong passwords and sessions that could not be read are "
         "left out. The alerts on the session objective follow this. Unit: share.",
         "percentunit", Query(went_well(), "went well"), steps=GOOD_STEPS, decimals=2, leads_to="sessions"),
    stat("Failures not of the clients",
         "Failed logins, cut sessions and errors whose fault was the network's, the server's, a policy's or "
         "imapmeter's own. Unit: failures per second.",
         "cps", Query(total(failures('party!="client"')), "failures"), decimals=2),
    stat("Logins that succeeded",
         "Of the logins that were answered, those answered OK; wrong passwords count against it. Unit: share.",
         "percentunit", Query(logins_succeeded(), "succeeded"), steps=GOOD_STEPS, decimals=1, leads_to="logins"),
    stat("Servers down",
         "Servers whose last health check failed. Empty where no health checks are configured. Unit: count of servers.",
         "short", Query(servers_down(), "down"), steps=ANY_STEPS, decimals=0, leads_to="internals"),
    stat("First response, p95",
         "How long the server lets its clients wait for the first line of an answer; 95 of 100 wait less. "
         "Unit: seconds.",
         "s", Query(p95("imapmeter_command_first_response_seconds"), "p95"), leads_to="commands"),
    stat("Open sessions",
         "Sessions open now, whatever their state. Unit: count of sessions.",
         "short", Query(total(of_listener("imapmeter_sessions")), "sessions"), decimals=0, leads_to="sessions"),
    stat("NO per second",
         "Responses NO, tagged and untagged: the server refuses what it was asked. Unit: responses per second.",
         "reqps", Query(total(responses('status="NO"')), "NO"), decimals=2, leads_to="sessions"),
    stat("Commands answered NO",
         "Of the tagged responses, those that are NO. The alert ImapMeterNoRatioHigh starts at 20 %. Unit: share.",
         "percentunit", Query(answered("NO"), "NO"), decimals=1, leads_to="commands",
         steps=(("green", None), ("orange", 0.1), ("red", 0.2))),
    stat("BAD per second",
         "Responses BAD: the server did not understand; a client or a proxy on the way is broken. "
         "Unit: responses per second.",
         "reqps", Query(total(responses('status="BAD"')), "BAD"), decimals=2, leads_to="sessions"),
    stat("Commands answered BAD",
         "Of the tagged responses, those that are BAD. Unit: share.",
         "percentunit", Query(answered("BAD"), "BAD"), steps=BAD_STEPS, decimals=1, leads_to="commands"),
    stat("Unrequested BYE per second",
         "Sessions ended or refused by the server's own BYE: every reason but logout. Unit: sessions per second.",
         "cps", Query(total(unrequested_bye()), "BYE"), decimals=2, leads_to="sessions"),
    stat("BYE that nobody asked for",
         "Of the sessions in which the server said BYE, those whose client had not sent LOGOUT. Unit: share.",
         "percentunit", Query(unrequested_bye_share(), "BYE"), steps=BAD_STEPS, decimals=1, leads_to="sessions"),
])

FAULT = Row("Whose fault is it?", [
    series("Failures by party",
           "Every failed login, cut session and error of the server, given to one party by the table of "
           "docs/verdict.md. The party that rises is where to look. Unit: failures per second.",
           "cps", Query(total(failures(), "party"), "{{party}}"), stacked=True),
    bars("Failures by kind",
         "The kinds that were met most in the chosen time, each with its party. docs/verdict.md says what each means. "
         "Unit: count of failures.",
         "short", Query(top(15, in_range("imapmeter_failures_total", "party, kind") + " > 0"), "{{party}}: {{kind}}")),
])

SERVERS = Row("Which server is it?", [
    table("Servers side by side",
          "A server whose row differs from its siblings' is the one to look at. Sessions: open now. Logins failed: the "
          "share that failed, wrong passwords left out. First response: the mean wait for the first line of an answer, "
          "and the share that took longer than 0.1 s. NO, BAD: share of its responses. BYE (the answers to LOGOUT "
          "included), failed connects: per second. Unit: as said for each column.",
          ["upstream", "server"], *server_columns(), sort_by="Logins failed", leads_to="internals"),
    series("Failed logins by server",
           "Of each server's logins, those that failed, wrong passwords left out. One line above the others is one "
           "server's trouble; all of them together are a common one's. Unit: share.",
           "percentunit", Query(server_logins_failed(), SERVER_LEGEND), maximum=1, leads_to="logins"),
    series("First response by server",
           "How long each server lets its clients wait for the first line of an answer, the mean. Unit: seconds.",
           "s", Query(server_first_response(), SERVER_LEGEND), leads_to="commands"),
])

COURSE = Row("The course of it", [
    series("Session outcomes",
           "How the sessions that saw a greeting ended, each once. cut: in the middle of a command, or by a BYE of the "
           "server; degraded: the server had trouble on the way. Unit: sessions per second.",
           "cps", Query(total(rate(of_listener("imapmeter_session_outcomes_total")), "outcome"), "{{outcome}}"),
           stacked=True, leads_to="sessions"),
    series("Responses by status",
           "Status responses of the server, each once: greetings, tagged and untagged. Unit: responses per second.",
           "reqps", Query(total(responses(), "status"), "{{status}}"), leads_to="sessions"),
    series("NO, BAD and BYE rates",
           "NO and BAD: tagged and untagged. BYE: the first of each session that its client had not asked for. By "
           "listener. Unit: responses per second.",
           "reqps", Query(total(responses('status="NO"'), "listener"), "NO {{listener}}"),
           Query(total(responses('status="BAD"'), "listener"), "BAD {{listener}}"),
           Query(total(unrequested_bye(), "listener"), "BYE {{listener}}"), leads_to="sessions"),
    series("NO, BAD and BYE ratios",
           "NO and BAD: share of the tagged responses. BYE: share of the sessions with a BYE in which the client had "
           "not asked for it by LOGOUT. By listener. Unit: share.",
           "percentunit", Query(answered("NO", "listener"), "NO {{listener}}"),
           Query(answered("BAD", "listener"), "BAD {{listener}}"),
           Query(unrequested_bye_share("listener"), "BYE {{listener}}"), maximum=1, leads_to="sessions"),
])

FLEET = Row("Which imapmeter sees it?", [
    table("imapmeters side by side",
          "Of a fleet of sidecars, the ones that see the trouble. Sessions: open now. Failures, not the clients': per "
          "second. NO: share of the tagged responses. Went well: share of the sessions. Unit: as said for each column.",
          ["job", "instance"],
          Column("Sessions", total(of_listener("imapmeter_sessions"), "job, instance"), "short"),
          Column("Failures/s", total(failures('party!="client"'), "job, instance"), "cps"),
          Column("NO", answered("NO", "job, instance"), "percentunit"),
          Column("Went well", went_well("job, instance"), "percentunit", GOOD_STEPS),
          sort_by="Failures/s", width=16),
    table("What runs",
          "The versions of the imapmeters chosen; after an upgrade there should be one. Unit: count, always 1.",
          ["instance", "version", "revision", "openssl", "boost"],
          Column("Running", f"sum by (instance, version, revision, openssl, boost) "
                            f"({of_process('imapmeter_build_info')})", "short"), width=8, leads_to="internals"),
])

DASHBOARD = Dashboard("overview", "Overview", "Is mail well, and if not, whose fault is it and where to look.",
                     [WELL, FAULT, SERVERS, COURSE, FLEET])

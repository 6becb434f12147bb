"""What clients ask for, what becomes of it, and how long it takes."""
from expressions import (BAD_STEPS, SERVER, SERVER_LEGEND, answered, failures, in_range, p95, quantiles,
                         server_first_response, server_slow)
from grafana import (Column, Dashboard, Query, Row, bars, heatmap, increase, of_listener, of_upstream, quantile, rate,
                     series, share, stat, table, total)

DURATION = "imapmeter_command_duration_seconds"
FIRST = "imapmeter_command_first_response_seconds"


def ended(*matchers):
    return rate(of_listener("imapmeter_commands_total", *matchers))


def ended_in_range(*matchers):
    return increase(of_listener("imapmeter_commands_total", *matchers))


def share_in_range(result):
    return share(ended_in_range(f'result="{result}"'), ended_in_range(), "command")


def quantile_in_range(q, histogram):
    return quantile(q, increase(of_listener(f"{histogram}_bucket")), "command")


COMMANDS = Row("Commands", [
    stat("Commands per second",
         "Commands whose first line was read. Unit: commands per second.",
         "cps", Query(total(rate(of_listener("imapmeter_commands_started_total"))), "started"), decimals=1),
    stat("In flight",
         "Commands begun and unanswered, IDLE excepted. It rises where the server hangs. Unit: count of commands.",
         "short", Query(total(of_listener("imapmeter_commands_in_flight")), "in flight"), decimals=0),
    stat("Answered NO",
         "Of the tagged responses, those that are NO. Unit: share.",
         "percentunit", Query(answered("NO"), "NO"), decimals=1,
         steps=(("green", None), ("orange", 0.1), ("red", 0.2))),
    stat("Answered BAD",
         "Of the tagged responses, those that are BAD. Unit: share.",
         "percentunit", Query(answered("BAD"), "BAD"), decimals=1, steps=BAD_STEPS),
    stat("Unanswered",
         "Commands that had no answer when their session closed. Unit: commands per second.",
         "cps", Query(total(ended('result="aborted"')), "aborted"), decimals=2),
    stat("Duration, p95",
         "From the end of a command to its tagged answer; 95 of 100 take less. Unit: seconds.",
         "s", Query(p95(DURATION), "p95")),
    table("Commands",
          "What was asked in the chosen time. NO, BAD, aborted: share of the command. p50, p95, p99: seconds to the "
          "tagged answer, only of commands with a histogram of their own. First line: p95 of the wait for the first "
          "line. Unit: as said for each column.",
          ["command"],
          Column("Commands", total(ended_in_range(), "command"), "short"),
          Column("NO", share_in_range("NO"), "percentunit", BAD_STEPS),
          Column("BAD", share_in_range("BAD"), "percentunit", BAD_STEPS),
          Column("aborted", share_in_range("aborted"), "percentunit", BAD_STEPS),
          Column("p50", quantile_in_range(0.5, DURATION), "s"),
          Column("p95", quantile_in_range(0.95, DURATION), "s"),
          Column("p99", quantile_in_range(0.99, DURATION), "s"),
          Column("First line", quantile_in_range(0.95, FIRST), "s"),
          sort_by="Commands", height=11),
    series("Commands by name",
           "Commands at their end. Unit: commands per second.",
           "cps", Query(total(ended(), "command"), "{{command}}"), stacked=True),
    series("Commands by result",
           "OK, NO, BAD: as the server answered. aborted: the session closed first. untracked: it was no longer read. "
           "Unit: commands per second.",
           "cps", Query(total(ended(), "result"), "{{result}}")),
    series("NO by command",
           "Of each command, the share answered NO. Unit: share.",
           "percentunit", Query(share(ended('result="NO"'), ended(), "command"), "{{command}}"), maximum=1),
    series("BAD by command",
           "Of each command, the share answered BAD: a command that the server does not understand. Unit: share.",
           "percentunit", Query(share(ended('result="BAD"'), ended(), "command"), "{{command}}"), maximum=1),
    series("Failed commands by party",
           "Commands that failed or were cut off, given to who is to blame by the table of docs/verdict.md. "
           "Unit: failures per second.",
           "cps", Query(total(failures('kind=~"command_.*|hung_up|closed|timeout"'), "party, kind"),
                        "{{party}}: {{kind}}")),
    series("In flight by listener",
           "Commands begun and unanswered, IDLE excepted. Unit: count of commands.",
           "short", Query(total(of_listener("imapmeter_commands_in_flight"), "listener"), "{{listener}}")),
])

LATENCY = Row("How long commands take", [
    series("Duration",
           "From the end of a command to its tagged answer, all commands but IDLE; that of FETCH and APPEND grows with "
           "the mail. Unit: seconds.",
           "s", *quantiles(DURATION), width=8, legend="bottom"),
    series("Duration by command, p95",
           "The same for each command; 95 of 100 take less. Unit: seconds.",
           "s", Query(p95(DURATION, "command"), "{{command}}"), width=16),
    heatmap("Duration, all of them",
            "Commands by how long they took. Unit: seconds.", rate(of_listener(f"{DURATION}_bucket"))),
    heatmap("First response, all of them",
            "Commands by how long the server let its client wait for the first line. Unit: seconds.",
            rate(of_listener(f"{FIRST}_bucket"))),
    series("First response",
           "How long the server lets its client wait for the first line: large messages do not make it slow. "
           "Unit: seconds.",
           "s", *quantiles(FIRST), width=8, legend="bottom"),
    series("First response by command, p95",
           "The same for each command; 95 of 100 wait less. Unit: seconds.",
           "s", Query(p95(FIRST, "command"), "{{command}}"), width=16),
])

SERVERS = Row("Which server is slow?", [
    series("First response by server, mean",
           "How long each server lets its clients wait for the first line of an answer. Unit: seconds.",
           "s", Query(server_first_response(), SERVER_LEGEND)),
    series("First response slower than 0.1 s",
           "Of each server's first responses, those that took longer than 0.1 s. Unit: share.",
           "percentunit", Query(server_slow(), SERVER_LEGEND), maximum=1),
    series("First response by server, p95",
           "Coarse, as the family has four bounds: 0.01, 0.1, 1, 10. Unit: seconds.",
           "s", Query(quantile(0.95, rate(of_upstream("imapmeter_server_first_response_seconds_bucket")), SERVER),
                      SERVER_LEGEND)),
    series("NO and BAD by server",
           "Responses NO and BAD of each server, greetings, tagged and untagged. Unit: responses per second.",
           "reqps", Query(total(rate(of_upstream("imapmeter_server_responses_total", 'status=~"NO|BAD"')),
                                f"{SERVER}, status"), SERVER_LEGEND + " {{status}}")),
])

DATA = Row("Data and signals", [
    series("Untagged data",
           "Data responses of the server by keyword: what the answers are made of. Unit: responses per second.",
           "reqps", Query(total(rate(of_listener("imapmeter_untagged_data_total")), "keyword"), "{{keyword}}")),
    series("Messages",
           "Messages that passed: fetched from the server, appended to it. Unit: messages per second.",
           "cps", Query(total(rate(of_listener("imapmeter_messages_total")), "operation"), "{{operation}}")),
    series("Hints of the provider",
           "What providers hide in the text of a NO, BAD or BYE: too many connections, throttling, a full quota, or "
           "BAD after a login that seemed to succeed. Unit: responses per second.",
           "reqps", Query(total(rate(of_listener("imapmeter_provider_signals_total")), "signal"), "{{signal}}")),
    series("How long clients IDLE",
           "From the + of an IDLE to its end. Where all end at the same few minutes, a time-out on the way ends them. "
           "Unit: seconds.",
           "s", *quantiles("imapmeter_idle_duration_seconds")),
    bars("Hints of the provider, in all",
         "The same in the chosen time. Unit: count of responses.",
         "short", Query(in_range("imapmeter_provider_signals_total", "signal"), "{{signal}}"), width=24, height=5),
])

DASHBOARD = Dashboard("commands", "Commands and latency",
                      "What clients ask for, what becomes of it, and how long they wait.",
                      [COMMANDS, LATENCY, SERVERS, DATA])

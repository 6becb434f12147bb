"""Expressions that more than one dashboard shows."""
from grafana import Column, Query, increase, of_listener, of_process, of_upstream, quantile, rate, share, total

SERVER = "upstream, server"
SERVER_LEGEND = "{{upstream}} {{server}}"
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

GOOD_STEPS = (("red", None), ("orange", 0.95), ("green", 0.99))  # of a share that should be whole
BAD_STEPS = (("green", None), ("orange", 0.05), ("red", 0.2))  # of a share that should be nothing
ANY_STEPS = (("green", None), ("red", 1))  # of a count that should be nothing
FULL_STEPS = (("green", None), ("orange", 0.8), ("red", 0.95))  # of a limit


def responses(*matchers):
    return rate(of_listener("imapmeter_responses_total", *matchers))


def answered(status, by=""):
    """Of the tagged responses, the share with this status."""
    return share(responses('kind="tagged"', f'status="{status}"'), responses('kind="tagged"'), by)


def unrequested_bye():
    """The answer to LOGOUT is a BYE as well."""
    return rate(of_listener("imapmeter_bye_total", 'reason!="logout"'))


def unrequested_bye_share(by=""):
    return share(unrequested_bye(), rate(of_listener("imapmeter_bye_total")), by)


def went_well(by=""):
    """The indicator of docs/metrics.md: good / (all - login_rejected - unseen)."""
    return share(rate(of_listener("imapmeter_session_outcomes_total", 'outcome="good"')),
                 rate(of_listener("imapmeter_session_outcomes_total", 'outcome!~"login_rejected|unseen"')), by)


def failures(*matchers):
    return rate(of_listener("imapmeter_failures_total", *matchers))


def attempts(*matchers):
    return rate(of_listener("imapmeter_auth_attempts_total", *matchers))


def logins_succeeded(by=""):
    """Of the attempts that were answered and not cancelled."""
    return share(attempts('result="success"'), attempts('result!~"cancelled|aborted"'), by)


def server_logins_failed():
    """Of a server's logins, the share that failed and not for the password's sake."""
    family = "imapmeter_server_auth_attempts_total"
    return share(rate(of_upstream(family, 'result=~"temporary|other"')), rate(of_upstream(family)), SERVER)


def server_answered(status):
    family = "imapmeter_server_responses_total"
    return share(rate(of_upstream(family, f'status="{status}"')), rate(of_upstream(family)), SERVER)


def server_first_response():
    """The mean: the family's four buckets are too coarse for a quantile."""
    family = "imapmeter_server_first_response_seconds"
    return share(rate(of_upstream(f"{family}_sum")), rate(of_upstream(f"{family}_count")), SERVER)


def server_slow():
    """Of a server's first responses, the share that took longer than 0.1 s, a bound of the buckets."""
    family = "imapmeter_server_first_response_seconds"
    fast = rate(of_upstream(f"{family}_bucket", 'le="0.1"'))
    return f"1 - {share(fast, rate(of_upstream(f'{family}_count')), SERVER)}"


def connects_failed():
    return total(rate(of_upstream("imapmeter_upstream_connects_total", 'result!="ok"')), SERVER)


def server_columns():
    """The servers side by side."""
    return [
        Column("Sessions", total(of_upstream("imapmeter_upstream_sessions"), SERVER), "short"),
        Column("Logins failed", server_logins_failed(), "percentunit", BAD_STEPS),
        Column("First response", server_first_response(), "s"),
        Column("Slower than 0.1 s", server_slow(), "percentunit", BAD_STEPS),
        Column("NO", server_answered("NO"), "percentunit"),
        Column("BAD", server_answered("BAD"), "percentunit"),
        Column("BYE/s", total(rate(of_upstream("imapmeter_server_responses_total", 'status="BYE"')), SERVER), "cps"),
        Column("Connects failed/s", connects_failed(), "cps", (("green", None), ("red", 0.001))),
    ]


def quantiles(histogram, *matchers):
    """p50, p95 and p99 of a histogram of listeners."""
    return [Query(quantile(q, rate(of_listener(f"{histogram}_bucket", *matchers))), name)
            for name, q in QUANTILES.items()]


def p95(histogram, by=""):
    return quantile(0.95, rate(of_listener(f"{histogram}_bucket")), by)


def servers_down():
    up = of_upstream("imapmeter_upstream_up")
    return f"count({up}) - {total(up)}"


def in_range(family, by, *matchers):
    return total(increase(of_listener(family, *matchers)), by)


def top(number, vector):
    return f"topk({number}, {vector})"


def used(vector, limit, listener="all"):
    """What is used of a limit, with the labels that imapmeter_limit has. listener="": the vector's own."""
    vector = f'label_replace({vector}, "limit", "{limit}", "", "")'
    return f'label_replace({vector}, "listener", "{listener}", "", "")' if listener else vector


def saturation():
    """Used / limit, for the limits in force whose use is exported."""
    by_upstream = total(of_process("imapmeter_upstream_sessions"), "job, instance, upstream")
    accepted = total(rate(of_process("imapmeter_sessions_accepted_total")), "job, instance, listener")
    parts = [
        used(total(of_process("imapmeter_sessions"), "job, instance"), "sessions"),
        used(f"max by (job, instance) ({by_upstream})", "sessions_per_upstream"),
        used(of_process("imapmeter_relay_buffer_bytes"), "relay_buffer_bytes"),
        used(of_process("process_resident_memory_bytes"), "memory_bytes"),
        used(accepted, "handshakes_per_second", listener=""),
    ]
    return f"({' or '.join(parts)}) / on (job, instance, listener, limit) {of_process('imapmeter_limit')}"


def descriptors_used():
    return f"{of_process('process_open_fds')} / {of_process('process_max_fds')}"

"""What a Grafana dashboard is made of, as far as ours need it: selectors, queries, panels, rows; and the JSON of it."""
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

TAG = "imapmeter"
SCHEMA_VERSION = 39  # Grafana 10.3; later ones read it
DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
GRID = 24

# What the value of a label means decides its colour, the same one on every panel.
COLORS = {
    "status": {"OK": "green", "NO": "orange", "BAD": "red", "BYE": "purple", "PREAUTH": "blue"},
    "outcome": {"good": "green", "unseen": "text", "login_rejected": "blue", "login_failed": "orange",
                "degraded": "yellow", "cut": "red"},
    "party": {"client": "blue", "network": "yellow", "imapmeter": "purple", "server": "red", "policy": "orange"},
    "result": {"OK": "green", "NO": "orange", "BAD": "red", "aborted": "purple", "success": "green",
               "rejected": "blue", "temporary": "red"},
}


# Selectors: every query follows the variables. A family has the labels of its listener, its upstream, or neither.
def of_process(metric: str, *matchers: str) -> str:
    return metric + "{" + ",".join(['job=~"$job"', 'instance=~"$instance"', *matchers]) + "}"


def of_listener(metric: str, *matchers: str) -> str:
    return of_process(metric, 'listener=~"$listener"', *matchers)


def of_upstream(metric: str, *matchers: str) -> str:
    return of_process(metric, 'upstream=~"$upstream"', *matchers)


# Expressions.
def rate(selector: str) -> str:
    return f"rate({selector}[$__rate_interval])"


def increase(selector: str) -> str:
    return f"increase({selector}[$__range])"


def total(vector: str, by: str = "") -> str:
    return f"sum by ({by}) ({vector})" if by else f"sum({vector})"


def share(part: str, whole: str, by: str = "") -> str:
    return f"{total(part, by)} / {total(whole, by)}"


def quantile(q: float, buckets: str, by: str = "") -> str:
    """`buckets`: the rate or increase of a histogram's _bucket."""
    return f"histogram_quantile({q}, {total(buckets, f'le, {by}' if by else 'le')})"


@dataclass(frozen=True)
class Query:
    expr: str
    legend: str


@dataclass(frozen=True)
class Column:
    """One number of a table's rows."""
    title: str
    expr: str
    unit: str
    steps: Sequence[tuple[str, float | None]] = ()


@dataclass(frozen=True)
class Panel:
    title: str
    description: str
    kind: str
    unit: str
    queries: Sequence[Query]
    width: int
    height: int
    options: Json
    custom: Json = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()
    target: Json = field(default_factory=dict)  # of every query
    leads_to: str = ""  # the slug of the dashboard that tells more


@dataclass(frozen=True)
class Row:
    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Dashboard:
    slug: str
    title: str
    description: str
    rows: Sequence[Row]

    @property
    def uid(self) -> str:
        return f"{TAG}-{self.slug}"


def thresholds(steps: Sequence[tuple[str, float | None]]) -> Json:
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}


WITHOUT_CHANGE: Json = {"showPercentChange": False, "percentChangeColorMode": "standard"}


def reduced() -> Json:
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


def stat(title: str, description: str, unit: str, *queries: Query, steps=(("text", None),), width=4, height=4,
         decimals=None, mappings=(), leads_to="") -> Panel:
    """The last number, large, in the colour of its threshold, before its course."""
    no_traffic = {"type": "special", "options": {"match": "nan", "result": {"text": "no traffic", "color": "text"}}}
    defaults = {"color": {"mode": "thresholds"}, "thresholds": thresholds(steps), "mappings": [*mappings, no_traffic]}
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {"reduceOptions": reduced(), "orientation": "auto", "colorMode": "value", "graphMode": "area",
               "justifyMode": "auto", "textMode": "auto" if len(queries) == 1 else "value_and_name",
               "wideLayout": True, **WITHOUT_CHANGE}
    return Panel(title, description, "stat", unit, queries, width, height, options, defaults=defaults,
                 leads_to=leads_to)


def tiles(title: str, description: str, unit: str, query: Query, width=GRID, height=8) -> Panel:
    """A number with its name and course for each series of one query."""
    options = {"reduceOptions": reduced(), "orientation": "auto", "colorMode": "none", "graphMode": "area",
               "justifyMode": "auto", "textMode": "value_and_name", "wideLayout": False, **WITHOUT_CHANGE}
    return Panel(title, description, "stat", unit, [query], width, height, options,
                 defaults={"color": {"mode": "palette-classic-by-name"}})


def series(title: str, description: str, unit: str, *queries: Query, width=12, height=8, stacked=False, maximum=None,
           steps=(), legend="right", leads_to="") -> Panel:
    """Lines over time."""
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if stacked else 10, "showPoints": "never",
              "spanNulls": False, "stacking": {"mode": "normal" if stacked else "none", "group": "A"}}
    defaults: Json = {"color": {"mode": "palette-classic"}, "min": 0}
    if maximum is not None:
        defaults["max"] = maximum
    if steps:
        defaults["thresholds"] = thresholds(steps)
        custom["thresholdsStyle"] = {"mode": "line"}
    options = {"legend": {"displayMode": "table", "placement": legend, "calcs": ["lastNotNull", "max"],
                          "showLegend": True, "sortBy": "Max", "sortDesc": True},
               "tooltip": {"mode": "multi", "sort": "desc", "hideZeros": True}}
    return Panel(title, description, "timeseries", unit, queries, width, height, options, custom, defaults,
                 overrides=fixed_colors(queries), leads_to=leads_to)


def bars(title: str, description: str, unit: str, *queries: Query, width=12, height=8, maximum=None,
         steps=(("blue", None),), leads_to="") -> Panel:
    """A bar for each series, of now or of the whole chosen time."""
    defaults: Json = {"color": {"mode": "thresholds"}, "thresholds": thresholds(steps), "min": 0, "noValue": "none"}
    if maximum is not None:
        defaults["max"] = maximum
    if unit == "short":
        defaults["decimals"] = 0
    options = {"reduceOptions": reduced(), "orientation": "horizontal", "displayMode": "basic", "valueMode": "text",
               "namePlacement": "left", "showUnfilled": True, "sizing": "auto", "minVizWidth": 8, "minVizHeight": 16,
               "maxVizHeight": 300,
               "legend": {"displayMode": "list", "placement": "bottom", "calcs": [], "showLegend": False}}
    return Panel(title, description, "bargauge", unit, queries, width, height, options, defaults=defaults,
                 target={"instant": True, "range": False}, leads_to=leads_to)


def heatmap(title: str, description: str, buckets: str, width=12, height=8, unit="s") -> Panel:
    """`buckets`: the rate of a histogram's _bucket; the axis bears its bounds."""
    options = {"calculate": False, "cellGap": 1, "cellValues": {"unit": "cps"},
               "color": {"mode": "scheme", "scheme": "Blues", "scale": "exponential", "exponent": 0.5,
                         "fill": "dark-blue", "steps": 64, "reverse": False},
               "exemplars": {"color": "blue"}, "filterValues": {"le": 1e-9}, "legend": {"show": True},
               "rowsFrame": {"layout": "auto"}, "showValue": "never",
               "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": True},
               "yAxis": {"axisPlacement": "left", "unit": unit}}
    return Panel(title, description, "heatmap", unit, [Query(total(buckets, "le"), "{{le}}")], width, height, options,
                 custom={"hideFrom": {"legend": False, "tooltip": False, "viz": False}}, target={"format": "heatmap"})


def timeline(title: str, description: str, unit: str, query: Query, mappings: Sequence[Json], width=12,
             height=8) -> Panel:
    """A band for each series, in the colour of what its value means."""
    options = {"showValue": "auto", "rowHeight": 0.8, "mergeValues": True, "alignValue": "left",
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
               "tooltip": {"mode": "single", "sort": "none"}}
    return Panel(title, description, "state-timeline", unit, [query], width, height, options,
                 custom={"lineWidth": 0, "fillOpacity": 80},
                 defaults={"color": {"mode": "thresholds"}, "thresholds": thresholds([("text", None)]),
                           "mappings": list(mappings)})


def table(title: str, description: str, labels: Sequence[str], *columns: Column, sort_by="", width=GRID,
          height=8, leads_to="") -> Panel:
    """A line for each combination of labels, a column for each query."""
    cells = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    names = {"Value" if len(columns) == 1 else f"Value #{ref(number)}": column.title
             for number, column in enumerate(columns)}
    order = {name: number for number, name in enumerate([*labels, *names])}
    organize = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names}
    options: Json = {"cellHeight": "sm", "showHeader": True, "frameIndex": 0}
    if sort_by:
        options["sortBy"] = [{"displayName": sort_by, "desc": True}]
    return Panel(title, description, "table", columns[0].unit, [Query(column.expr, column.title) for column in columns],
                 width, height, options, custom=cells,
                 defaults={"color": {"mode": "thresholds"}, "thresholds": thresholds([("text", None)])},
                 overrides=[column_override(column) for column in columns],
                 transformations=[{"id": "merge", "options": {}}, {"id": "organize", "options": organize}],
                 target={"format": "table", "instant": True, "range": False}, leads_to=leads_to)


def column_override(column: Column) -> Json:
    properties = [{"id": "unit", "value": column.unit}]
    if column.unit == "short":
        properties.append({"id": "decimals", "value": 0})
    if column.steps:
        properties += [{"id": "thresholds", "value": thresholds(column.steps)},
                       {"id": "custom.cellOptions", "value": {"type": "color-text"}}]
    return {"matcher": {"id": "byName", "options": column.title}, "properties": properties}


def fixed_colors(queries: Sequence[Query]) -> list[Json]:
    """For the lines that are named by such a label alone."""
    return [{"matcher": {"id": "byName", "options": name},
             "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}]}
            for query in queries for name, color in COLORS.get(query.legend.strip("{}"), {}).items()]


def meanings(texts: dict[int, tuple[str, str]]) -> list[Json]:
    """Words, and colours, in place of numbers."""
    return [{"type": "value", "options": {str(number): {"text": text, "color": color, "index": index}
                                          for index, (number, (text, color)) in enumerate(texts.items())}}]


def ref(number: int) -> str:
    return chr(ord("A") + number)


# The JSON.
def query_variable(name: str, label: str, metric: str, query_label: str) -> Json:
    query = {"qryType": 1, "query": f"label_values({metric}, {query_label})",
             "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "query": query, "refresh": 2,
            "sort": 1, "multi": True, "includeAll": True, "allValue": ".*", "options": [], "hide": 0, "regex": "",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def variables() -> list[Json]:
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {
            "text": "", "value": ""}, "hide": 0, "refresh": 1, "regex": "", "options": [], "includeAll": False,
         "multi": False},
        query_variable("job", "Job", "imapmeter_build_info", "job"),
        query_variable("instance", "Instance", 'imapmeter_build_info{job=~"$job"}', "instance"),
        query_variable("listener", "Listener", of_process("imapmeter_listener_info"), "listener"),
        query_variable("upstream", "Upstream", of_listener("imapmeter_listener_info"), "upstream"),
    ]


def starts() -> Json:
    """A mark where an imapmeter has started: its counters begin at zero there."""
    expr = of_process("process_start_time_seconds") + " * 1000"
    return {"name": "imapmeter starts", "datasource": DATASOURCE, "enable": True, "hide": False, "iconColor": "blue",
            "useValueForTime": True, "titleFormat": "imapmeter starts", "textFormat": "{{instance}}",
            "target": {"refId": "Anno", "expr": expr, "interval": "60s", "legendFormat": "{{instance}}"}}


def link(title: str, tooltip: str, url: str, **variables_and_time: bool) -> Json:
    keep = {"includeVars": True, "keepTime": True} | variables_and_time
    return {"type": "link", "title": title, "tooltip": tooltip, "url": url, "icon": "dashboard", "tags": [],
            "asDropdown": False, "targetBlank": False, **keep}


def targets(panel: Panel) -> list[Json]:
    return [{"refId": ref(number), "datasource": DATASOURCE, "editorMode": "code", "expr": query.expr,
             "legendFormat": query.legend, **panel.target} for number, query in enumerate(panel.queries)]


def panel_json(panel: Panel, titles: dict[str, str]) -> Json:
    defaults = {"unit": panel.unit, **panel.defaults}
    if panel.custom:
        defaults["custom"] = panel.custom
    made = {"type": panel.kind, "title": panel.title, "description": panel.description, "datasource": DATASOURCE,
            "fieldConfig": {"defaults": defaults, "overrides": list(panel.overrides)}, "options": panel.options,
            "targets": targets(panel)}
    if panel.transformations:
        made["transformations"] = list(panel.transformations)
    if panel.leads_to:
        url = f"/d/{TAG}-{panel.leads_to}?${{__url_time_range}}&${{__all_variables}}"
        made["links"] = [link(f"More: {titles[panel.leads_to]}", "", url, includeVars=False, keepTime=False)]
    return made


def laid_out(rows: Sequence[Row], titles: dict[str, str]) -> list[Json]:
    """Panels from left to right, in the order given; the next line begins below the tallest of this one."""
    made: list[Json] = []
    top = 0
    for row in rows:
        made.append({"id": len(made) + 1, "type": "row", "title": row.title, "collapsed": False, "panels": [],
                     "gridPos": {"h": 1, "w": GRID, "x": 0, "y": top}})
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > GRID:
                top, left, tallest = top + tallest, 0, 0
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            made.append({"id": len(made) + 1, "gridPos": place, **panel_json(panel, titles)})
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return made


def dashboard_json(dashboard: Dashboard, all_dashboards: Sequence[Dashboard]) -> Json:
    titles = {each.slug: each.title for each in all_dashboards}
    others = [link(each.title, each.description, f"/d/{each.uid}") for each in all_dashboards if each is not dashboard]
    return {"uid": dashboard.uid, "title": f"imapmeter: {dashboard.title}", "description": dashboard.description,
            "tags": [TAG, "imap", "mail"], "schemaVersion": SCHEMA_VERSION, "version": 1, "editable": True,
            "graphTooltip": 1, "timezone": "", "refresh": "30s", "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": variables()}, "annotations": {"list": [starts()]}, "links": others,
            "panels": laid_out(dashboard.rows, titles)}


def text_of(dashboard: Dashboard, all_dashboards: Sequence[Dashboard]) -> str:
    return json.dumps(dashboard_json(dashboard, all_dashboards), indent=2, ensure_ascii=False) + "\n"

// A dashboard as its JSON is written, in Grafana's published types: those of the dashboard, and of each panel that ours
// use its own options and custom field settings.
import type { AnnotationQuery, Dashboard, FieldConfig, Panel, RowPanel } from '@grafana/schema';
import type * as bargauge
  from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as heatmap
  from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat
  from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as table
  from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeline
  from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as timeseries
  from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON has the values of enums, not their names.
type Plain<T> = 0 extends 1 & T ? T
  : T extends string ? `${T}`
  : T extends (infer Item)[] ? Plain<Item>[]
  : T extends object ? { [Key in keyof T]: Plain<T[Key]> }
  : T;

type Prometheus = { type: 'prometheus'; uid: '${datasource}' };

interface Query {
  refId: string;
  datasource: Prometheus;
  editorMode: 'code';
  expr: string;
  legendFormat: string;
  format?: 'heatmap' | 'table';
  instant?: boolean;
  range?: boolean;
}

// The published panel has any options and custom settings; these have their own.
type Defaults<Custom> = Omit<Plain<FieldConfig>, 'custom'> & { custom?: Plain<Custom> };
type Of<Type extends string, Options, Custom> = Omit<Plain<Panel>, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type;
  options: Plain<Options>;
  fieldConfig: { defaults: Defaults<Custom>; overrides: NonNullable<Plain<Panel>['fieldConfig']>['overrides'] };
  targets: Query[];
};

type OurPanel =
  | Of<'bargauge', bargauge.Options, never>
  | Of<'heatmap', heatmap.Options, heatmap.FieldConfig>
  | Of<'stat', stat.Options, never>
  | Of<'state-timeline', timeline.Options, timeline.FieldConfig>
  | Of<'table', table.Options, table.FieldConfig>
  | Of<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | Plain<RowPanel>;

// What Prometheus adds to an annotation is not published.
type OurAnnotation = Omit<Plain<AnnotationQuery>, 'target'> & {
  target: { refId: string; expr: string; interval: string; legendFormat: string };
  useValueForTime: boolean;
  titleFormat: string;
  textFormat: string;
};

export type OurDashboard = Omit<Plain<Dashboard>, 'panels' | 'annotations'> & {
  panels: OurPanel[];
  annotations: { list: OurAnnotation[] };
};

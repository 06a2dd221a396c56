import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  StackingMode,
} from '@grafana/grafana-foundation-sdk/common';
import * as common from '@grafana/grafana-foundation-sdk/common';
import { FieldColorModeId, type Panel, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as heatmap from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

/** Legend template → PromQL. */
export type Queries = Readonly<Record<string, string>>;

interface PanelOptions {
  readonly title: string;
  /** An explanation for a person who sees the panel for the first time. */
  readonly description: string;
  readonly unit: string;
  readonly queries: Queries;
}

/** A heading and what stands under it. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Builder<Panel>[];
}

/** The Prometheus that is chosen at the top of the dashboard. */
export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** The dashboard's grid is 24 columns wide: three graphs or six figures in a row. */
const GRAPH = { width: 8, height: 8 };
const FIGURE = { width: 4, height: 4 };

/** Lines over time; stacked areas where the series add up to something. */
export function graph({
  title,
  description,
  unit,
  queries,
  stacked = false,
  exemplars = false,
}: PanelOptions & { stacked?: boolean; exemplars?: boolean }) {
  const panel = new timeseries.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .span(GRAPH.width)
    .height(GRAPH.height)
    .unit(unit)
    .min(0)
    .drawStyle(GraphDrawStyle.Line)
    .fillOpacity(stacked ? 40 : 8)
    .legend(legend())
    .targets(targets(queries).map((query) => (exemplars ? query.exemplar(true) : query)));
  return stacked ? panel.stacking(new common.StackingConfigBuilder().mode(StackingMode.Normal)) : panel;
}

function legend() {
  return new common.VizLegendOptionsBuilder()
    .displayMode(LegendDisplayMode.Table)
    .placement(LegendPlacement.Bottom)
    .showLegend(true)
    .calcs(['lastNotNull', 'max']);
}

type Threshold = readonly [color: string, from: number];

/** The latest value as a figure, coloured by thresholds; `base` is the colour below the first. */
export function figure({
  title,
  description,
  unit,
  queries,
  size = FIGURE,
  base = 'green',
  thresholds = [],
}: PanelOptions & {
  size?: typeof FIGURE;
  base?: string;
  thresholds?: readonly Threshold[];
}): Builder<Panel> {
  const steps = thresholds.map(([color, value]) => ({ color, value }));
  return new stat.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .span(size.width)
    .height(size.height)
    .unit(unit)
    .colorScheme(new dashboard.FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .thresholds(
      new dashboard.ThresholdsConfigBuilder()
        .mode(ThresholdsMode.Absolute)
        .steps([{ color: base, value: null }, ...steps]),
    )
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .graphMode(common.BigValueGraphMode.None)
    .targets(targets(queries).map((query) => query.instant()));
}

/** Makes a panel of the requests in each bucket of a histogram; the one query is by `le`. */
export function heat({ title, description, unit, queries }: PanelOptions): Builder<Panel> {
  return new heatmap.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .span(GRAPH.width)
    .height(GRAPH.height)
    .calculate(false)
    .yAxis(new heatmap.YAxisConfigBuilder().unit(unit))
    .targets(targets(queries, PromQueryFormat.Heatmap));
}

function targets(queries: Queries, format = PromQueryFormat.TimeSeries): DataqueryBuilder[] {
  return Object.entries(queries).map(([name, expr], index) =>
    new DataqueryBuilder()
      .refId(String.fromCharCode('A'.charCodeAt(0) + index))
      .datasource(DATASOURCE)
      .expr(expr)
      .range()
      .format(format)
      .legendFormat(name),
  );
}

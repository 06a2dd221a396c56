/** Legend template → PromQL. */
export type Queries = Readonly<Record<string, string>>;

interface PanelOptions {
  readonly title: string;
  /** An explanation for a person who sees the panel for the first time. */
  readonly description: string;
  readonly unit: string;
  readonly queries: Queries;
}

/** A panel of Grafana's dashboard schema, which has no place yet. */
export interface Panel {
  readonly type: 'timeseries' | 'stat' | 'heatmap';
  readonly title: string;
  readonly size: Size;
  readonly [field: string]: unknown;
}

/** A width and a height in cells of the dashboard's grid, which is 24 wide. */
interface Size {
  readonly w: number;
  readonly h: number;
}

/** A heading and what stands under it. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** The Prometheus that is chosen at the top of the dashboard. */
export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** Three graphs or six figures are in a row. */
const GRAPH: Size = { w: 8, h: 8 };
const FIGURE: Size = { w: 4, h: 4 };

/** Lines over time; stacked areas where the series add up to something. */
export function graph({
  title,
  description,
  unit,
  queries,
  stacked = false,
  exemplars = false,
}: PanelOptions & { stacked?: boolean; exemplars?: boolean }): Panel {
  const lines = { drawStyle: 'line', fillOpacity: stacked ? 40 : 8 };
  return {
    type: 'timeseries',
    title,
    description,
    datasource: DATASOURCE,
    size: GRAPH,
    options: {
      legend: { displayMode: 'table', placement: 'bottom', showLegend: true, calcs: ['lastNotNull', 'max'] },
      tooltip: { mode: 'single', sort: 'asc' },
    },
    fieldConfig: {
      defaults: { unit, min: 0, custom: { ...lines, ...(stacked && { stacking: { mode: 'normal' } }) } },
      overrides: [],
    },
    targets: targets(queries, { range: true, format: 'time_series', ...(exemplars && { exemplar: true }) }),
  };
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
}: PanelOptions & { size?: Size; base?: string; thresholds?: readonly Threshold[] }): Panel {
  const steps = thresholds.map(([color, value]) => ({ color, value }));
  return {
    type: 'stat',
    title,
    description,
    datasource: DATASOURCE,
    size,
    options: {
      graphMode: 'none',
      colorMode: 'value',
      justifyMode: 'auto',
      textMode: 'auto',
      wideLayout: true,
      showPercentChange: false,
      reduceOptions: { calcs: ['lastNotNull'], values: false },
      percentChangeColorMode: 'standard',
      orientation: 'auto',
    },
    fieldConfig: {
      defaults: {
        unit,
        color: { mode: 'thresholds' },
        thresholds: { mode: 'absolute', steps: [{ color: base, value: null }, ...steps] },
      },
      overrides: [],
    },
    targets: targets(queries, { range: false, format: 'time_series' }),
  };
}

/** Makes a panel of the requests in each bucket of a histogram; the one query is by `le`. */
export function heat({ title, description, unit, queries }: PanelOptions): Panel {
  return {
    type: 'heatmap',
    title,
    description,
    datasource: DATASOURCE,
    size: GRAPH,
    options: {
      calculate: false,
      color: { scheme: 'Oranges', fill: 'dark-orange', exponent: 0.5, steps: 64, reverse: false },
      filterValues: { le: 1e-9 },
      showValue: 'auto',
      cellGap: 1,
      yAxis: { unit },
      legend: { show: true },
      tooltip: { mode: 'single' },
      exemplars: { color: 'rgba(255,0,255,0.7)' },
      selectionMode: 'x',
    },
    fieldConfig: { defaults: { custom: {} }, overrides: [] },
    targets: targets(queries, { range: true, format: 'heatmap' }),
  };
}

interface Asked {
  /** Whether the values of the whole time are asked for, or the latest one. */
  readonly range: boolean;
  readonly format: 'time_series' | 'heatmap';
  readonly exemplar?: boolean;
}

function targets(queries: Queries, asked: Asked): object[] {
  return Object.entries(queries).map(([name, expr], index) => ({
    refId: String.fromCharCode('A'.charCodeAt(0) + index),
    datasource: DATASOURCE,
    expr,
    instant: !asked.range,
    ...asked,
    legendFormat: name,
  }));
}

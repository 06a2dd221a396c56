// @ts-check
import { figure } from './report.mjs';

const COLOURS = ['#2f6fde', '#8b98a9', '#b4bdc9', '#d5dae1'];
const [WIDTH, LEFT, BAR, GAP, TOP] = [760, 200, 13, 16, 58];
const RIGHT = 60;

/**
 * A bar chart as SVG that can be read on a white and on a black page. A bar that would leave the picture is cut, its figure is not.
 * @param {readonly string[]} peers
 * @param {readonly import('./results.mjs').Headline[]} rows
 * @param {string} node  major version
 */
export function picture(peers, rows, node) {
  const heightOfRow = peers.length * BAR + GAP;
  const height = TOP + rows.length * heightOfRow;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="CPU time a request">
<style>text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 14px }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }</style>
<text class="title" x="0" y="16">CPU time a request, less is better (Node ${node})</text>
${legend(peers)}
${rows.map((row, i) => group(row, TOP + i * heightOfRow)).join('\n')}
</svg>
`;
}

/** @param {readonly string[]} peers */
function legend(peers) {
  const parts = peers.map((peer, i) => {
    const x = LEFT + i * 120;
    return `<rect x="${x}" y="28" width="10" height="10" fill="${COLOURS[i]}"/><text x="${x + 15}" y="37">${peer}</text>`;
  });
  return parts.join('\n');
}

/**
 * Each row has a scale of its own, which ends at three times what the second of the peers needs: an answer of a megabyte is not to
 * make a small one invisible.
 * @param {import('./results.mjs').Headline} row
 * @param {number} y
 */
function group({ what, figures }, y) {
  const full = 3 * (figures[1] ?? figures[0] ?? 1);
  const bars = figures.map((value, i) => {
    const length = Math.min((value ?? 0) / full, 1) * (WIDTH - LEFT - RIGHT);
    const top = y + i * BAR;
    return `<rect x="${LEFT}" y="${top}" width="${length.toFixed(1)}" height="${BAR - 2}" fill="${COLOURS[i]}"/>
<text x="${LEFT + length + 5}" y="${top + BAR - 3}">${figure(value)}${length === WIDTH - LEFT - RIGHT ? ' →' : ''}</text>`;
  });
  const label = `<text x="${LEFT - 10}" y="${y + (figures.length * BAR) / 2 + 3}" text-anchor="end">${what}</text>`;
  return [label, ...bars].join('\n');
}

// What servers say: the 18 members with the last hour, response codes ranked, kinds, and what texts hide.
import { Sparkline } from './charts.js';
import { byId, count, keyed, make, setText } from './dom.js';
import { integer } from './format.js';
import { members, signals } from './explain.js';
import { minuteBars, range } from './hour.js';
import { bar, table } from './tables.js';

const sparklines = new Map();

function memberTile(member) {
  const spark = make('div', { class: 'spark' });
  const tile = make('li', {}, make('span', { class: 'name' }, member), ' ', make('b'), spark, make('small'));
  sparklines.set(member, new Sparkline(spark));
  return tile;
}

function showMembers(view) {
  keyed(byId('members'), Object.keys(members), (member) => member, memberTile, (tile, member) => {
    const selector = view.series('imapmeter_status_codes_total', { status_code: member });
    count(tile.children[1], view.status_codes[member] ?? 0, selector);
  });
}

export function showMembersOfHour(hour) {
  const { start, end } = range(hour);
  for (const [member, sparkline] of sparklines) {
    sparkline.update(minuteBars(hour.of(`status.${member}`), hour), start, end);
    const tile = byId('members').querySelector(`[data-key="${member}"]`);
    setText(tile.lastElementChild, `${integer(hour.total(`status.${member}`))} in the hour`);
  }
}

export function explainMembers() {
  for (const [member, meaning] of Object.entries(members)) {
    byId('members-explained').append(make('div', {}, make('dt', {}, member), make('dd', {}, meaning)));
  }
}

function ranked(id, label, statuses, view) {
  const rows = statuses.flatMap((status) => Object.entries(view.response_codes[status] ?? {}).map(([code, n]) => {
    return { status, code, n, series: view.series('imapmeter_response_codes_total', { status, code }) };
  })).sort((a, b) => b.n - a.n);
  const most = rows.length === 0 ? 0 : rows[0].n;
  table(id, {
    label, key: (row) => `${row.status} ${row.code}`, tall: true, empty: 'No such response yet.',
    columns: [
      { title: 'Code', kind: 'head', value: (row) => (row.code === 'none' ? 'without a code' : row.code) },
      { title: 'Of', value: (row) => row.status },
      { title: 'Count', kind: 'number', value: (row) => row.n, series: (row) => row.series },
      { title: 'Beside the first', value: (row) => row.n,
        show: (cell, row) => bar(cell, row.n, row.most, `${row.status} ${row.code} beside the first`) },
    ],
  }).update(rows.map((row) => ({ ...row, most })));
}

function kinds(view) {
  const statuses = ['OK', 'NO', 'BAD', 'PREAUTH', 'BYE'];
  const column = (status) => ({
    title: status, kind: 'number', value: (row) => row.by[status],
    series: (row) => row.view.series('imapmeter_responses_total', { kind: row.kind, status }),
  });
  table('kinds-table', {
    label: 'Responses by kind and status', key: (row) => row.kind,
    columns: [{ title: 'Kind', kind: 'head', value: (row) => row.kind }, ...statuses.map(column)],
  }).update(Object.entries(view.responses).map(([kind, by]) => ({ kind, by, view })));
}

function hints(view) {
  table('signals-table', {
    label: 'What providers hide in texts', key: (row) => row.signal,
    columns: [
      { title: 'Signal', kind: 'head', value: (row) => row.signal },
      { title: 'Count', kind: 'number', value: (row) => row.n, series: (row) => row.series },
      { title: 'What it means', kind: 'words', value: (row) => signals[row.signal] },
    ],
  }).update(Object.keys(signals).map((signal) => {
    const series = view.series('imapmeter_provider_signals_total', { signal });
    return { signal, n: view.provider_signals[signal] ?? 0, series };
  }));
}

export function showResponses(view) {
  showMembers(view);
  ranked('codes-bad', 'Response codes of NO, BAD and BYE', ['NO', 'BAD', 'BYE'], view);
  ranked('codes-good', 'Response codes of OK and PREAUTH', ['OK', 'PREAUTH'], view);
  kinds(view);
  hints(view);
}

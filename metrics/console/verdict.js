// The first line: is mail well, and if not, whose fault is it.
import { byId, facts, setText } from './dom.js';
import { integer, moment, none, seconds, share, span, words } from './format.js';
import { parties } from './explain.js';
import { table } from './tables.js';

const states = {
  well: ['✓', 'Mail is well'], trouble: ['✗', 'Trouble'], not_enough_data: ['…', 'Not enough data'],
};
const whats = {
  health: 'down', connects: 'connections failed', logins: 'logins refused', first_response: 'first response',
};

function inUnit(what, value) {
  if (what === 'health') return none;
  return what === 'first_response' ? seconds(value) : share(value, 1);
}

const outlierColumns = [
  { title: 'Server', kind: 'head', value: (row) => row.server },
  { title: 'Upstream', value: (row) => row.upstream },
  { title: 'What', value: (row) => whats[row.what] ?? words(row.what) },
  { title: 'Here', kind: 'number', value: (row) => row.value, text: (row) => inUnit(row.what, row.value) },
  { title: 'Siblings', kind: 'number', value: (row) => row.siblings, text: (row) => inUnit(row.what, row.siblings) },
  { title: 'Code', value: (row) => row.code ?? none },
  { title: 'Since', value: (row) => row.since, text: (row) => (row.since ? moment(row.since) : none) },
  { title: 'In words', kind: 'words', value: (row) => row.sentence },
];

function showLine({ state, party, sentence, since, time, window_seconds: window, totals }) {
  byId('verdict-band').dataset.verdict = state;
  const [sign, name] = states[state] ?? ['', words(state)];
  // a sentence that begins with the state says it once
  setText(byId('verdict-state'), sentence.startsWith(name) ? sign : `${sign} ${name}`);
  setText(byId('verdict-sentence'), sentence);
  setText(byId('verdict-party'), party ? `(party: ${party})` : '');
  // outside of the live region: it changes all the time
  const lasting = since ? `Since ${moment(since)}, for ${span(Math.max(0, time - since))}. ` : '';
  const seen = `${integer(totals.logins)} logins, ${integer(totals.commands)} commands and ${integer(totals.sessions)}`;
  setText(byId('verdict-more'), `${lasting}In the last ${span(window)}: ${seen} sessions.`);
  document.title = `${sign} ${name} · imapmeter`;
}

function kindsOf(kinds) {
  const most = Object.entries(kinds).sort((a, b) => b[1] - a[1]).slice(0, 3);
  return most.map(([kind, n]) => `${words(kind)} ${integer(n)}`).join(', ');
}

export function showVerdict(verdict) {
  showLine(verdict);
  facts(byId('parties'), Object.keys(parties).map((party) => {
    const { failures = 0, kinds = {} } = verdict.parties[party] ?? {};
    return { name: parties[party], value: failures, note: kindsOf(kinds) };
  }));
  table('outliers-table', {
    label: 'Outliers', columns: outlierColumns, key: (row) => `${row.upstream} ${row.server} ${row.what}`,
    empty: 'No server differs from its siblings.',
  }).update(verdict.outliers);
}

// The sessions that ended badly, each with its last events when opened.
import { byId, keyed, make, setText } from './dom.js';
import { integer, moment, seconds } from './format.js';
import { closeReasons } from './endings.js';
import { outcomes } from './explain.js';

const shownAtMost = 100;

function fill(details, skeleton) {
  if (details.children.length > 1) return;
  const forgotten = skeleton.events_forgotten;
  const before = forgotten === 0 ? [] : [`… ${integer(forgotten)} events before`];
  const lines = [...before, ...skeleton.events].join('\n');
  const why = `${closeReasons[skeleton.reason] ?? skeleton.reason} It had come to: ${skeleton.phase}. ` +
    `Client program: ${skeleton.client_software}. Listener: ${skeleton.listener}.`;
  details.append(make('p', {}, why), make('pre', {
    tabindex: '0', role: 'region', 'aria-label': `Events of session ${skeleton.id}`,
  }, lines || 'No event.'));
}

function create(skeleton) {
  const part = (kind, content) => make('span', { class: kind }, content);
  const summary = make('summary', {},
    part('time', moment(skeleton.end_ms / 1000)), ' ',
    part(`badge ${skeleton.outcome}`, skeleton.outcome), ' ',
    part('reason', skeleton.reason), ' ',
    part('muted', `${skeleton.server ?? 'no server'}, session ${skeleton.id}, ` +
      `after ${seconds(skeleton.duration_ms / 1000)}: ${outcomes[skeleton.outcome] ?? ''}`));
  const details = make('details', {}, summary);
  details.addEventListener('toggle', () => fill(details, skeleton));
  return details;
}

export function showSkeletons({ skeletons }, listener) {
  const all = skeletons.filter((each) => listener === '' || each.listener === listener);
  const shown = all.slice(0, shownAtMost);
  byId('skeletons-none').hidden = all.length !== 0;
  byId('skeletons-region').hidden = all.length === 0;
  keyed(byId('skeletons-list'), shown, (each) => `${each.id} ${each.end_ms}`, create, () => {});
  const more = `The latest ${integer(shown.length)} of ${integer(all.length)}; imapmeter why prints the others.`;
  setText(byId('skeletons-more'), all.length > shown.length ? more : '');
}

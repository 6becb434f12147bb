// Puts the answers of the API where they belong. What an answer needs of another one waits for it.
import { follow, watchSections } from './api.js';
import { showClients, showCommands, showLogins } from './commands.js';
import { report } from './connection.js';
import { byId, keyed, make, setText } from './dom.js';
import { eventsOf, showEvents, showHour } from './hour.js';
import { hourView, listenerView } from './listeners.js';
import { showLimits, showProcess } from './process.js';
import { explainMembers, showMembersOfHour, showResponses } from './responses.js';
import { showSecurity } from './security.js';
import { showServers } from './servers.js';
import { listenToFilter, showEnds, showSessions, showStates } from './sessions.js';
import { showSkeletons } from './skeletons.js';
import { showOverview } from './totals.js';
import { showUnseen } from './unseen.js';
import { showVerdict } from './verdict.js';

const answers = {};
let chosen = ''; // the listener; all of them where it is empty

// From here on there is something to show: the places for it are no longer loading.
function ready(source) {
  for (const place of document.querySelectorAll(`[data-source="${source}"]`)) place.dataset.ready = '';
}

function offerListeners({ listeners }) {
  const several = listeners.length > 1;
  byId('chooser').hidden = !several;
  const names = listeners.map(({ name }) => ({ name, text: name }));
  const offers = several ? [{ name: '', text: 'all, summed' }, ...names] : [];
  keyed(byId('listener'), offers, ({ name }) => name, ({ name }) => make('option', { value: name }),
    (option, { text }) => setText(option, text));
}

const draw = {
  status(status) {
    offerListeners(status);
    const view = listenerView(status, chosen);
    showOverview(view);
    showResponses(view);
    showCommands(view);
    showLogins(view);
    showClients(view);
    showStates(view);
    showEnds(view);
    showServers(status, answers.verdict?.outliers ?? []);
    showSecurity(view, status, chosen);
    showUnseen(view);
    showProcess(view, status);
    showLimits(status);
  },
  verdict: showVerdict,
  history(history) {
    const hour = hourView(history, chosen);
    const events = eventsOf(hour, answers.events?.events ?? []);
    showHour(hour, events);
    showEvents(events);
    if (answers.status) showMembersOfHour(hour);
  },
  events() {
    if (answers.history) draw.history(answers.history);
  },
  sessions: (answer) => showSessions(answer, chosen),
  skeletons: (answer) => showSkeletons(answer, chosen),
};

function take(source, answer) {
  const first = !answers[source];
  answers[source] = answer;
  ready(source); // before: a canvas that is not displayed has no size
  draw[source](answer);
  if (first && source === 'status') draw.events(); // the lines of the members
}

function chooseListener() {
  chosen = byId('listener').value;
  for (const source of ['status', 'history', 'sessions', 'skeletons']) {
    if (answers[source]) draw[source](answers[source]);
  }
}

let look = () => {};
const visible = watchSections(['sessions', 'skeletons'], () => look());
const source = (name, every, wanted) => ({
  path: `api/v1/${name}`, every, wanted, apply: (answer) => take(name, answer),
});

explainMembers();
listenToFilter();
byId('listener').addEventListener('change', chooseListener);
// The long lists are asked for again only while they are on the screen.
look = follow([
  source('verdict', 2), source('status', 2), source('history', 10), source('events', 10),
  source('sessions', 10, () => visible('sessions')), source('skeletons', 10, () => visible('skeletons')),
], report);

// /metrics as a list of series, and which of them a selector means.

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const pair = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/g;

function labelsOf(text) {
  return Object.fromEntries([...text.matchAll(pair)].map(([, name, value]) => [name, value]));
}

function parseLine(text) {
  const found = line.exec(text);
  if (!found) throw new Error(`no series: ${text}`);
  const [, family, labels = '', value] = found;
  return { family, labels: labelsOf(labels), value: Number(value) };
}

export function parse(exposition) {
  return exposition.split('\n').filter((text) => text !== '' && !text.startsWith('#')).map(parseLine);
}

export async function scrape(admin) {
  const answer = await fetch(`${admin}/metrics`);
  if (!answer.ok) throw new Error(`/metrics answered ${answer.status}`);
  return parse(await answer.text());
}

// The sum of what has all labels of the selector. Series that are zero may be hidden: nothing is zero.
export function valueOf(series, selector) {
  const { family, labels } = parseLine(`${selector} 0`);
  const wanted = Object.entries(labels);
  return series.filter((each) => each.family === family && wanted.every(([name, value]) => each.labels[name] === value))
    .reduce((sum, each) => sum + each.value, 0);
}

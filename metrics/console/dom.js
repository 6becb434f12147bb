// The page is changed in place: what is focused, open or scrolled stays so.
import { integer } from './format.js';

export const byId = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Without a value the attribute goes.
export function setAttribute(node, name, value) {
  if (value === null || value === undefined) {
    node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}

// One child per item, in the order of the items. Children whose items stay are kept, and moved only if they must be.
export function keyed(parent, items, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = new Set(items.map((item) => String(keyOf(item))));
  for (const [key, child] of known) if (!wanted.has(key)) child.remove();
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = known.get(key);
    if (!child) {
      child = create(item);
      child.dataset.key = key;
    }
    if (child === next) {
      next = next.nextElementSibling;
    } else {
      parent.insertBefore(child, next);
    }
    update(child, item);
  }
}

// A total, with the series of /metrics that it is (a selector: the sum of what it matches).
export function count(node, value, series = null, text = integer(value)) {
  setText(node, text);
  setAttribute(node, 'data-value', value);
  setAttribute(node, 'data-metric', series);
  node.classList.toggle('zero', value === 0);
}

// A list of named totals: [{ name, value, series, text, note }].
export function facts(list, items) {
  const create = () => make('li', {}, make('span', { class: 'name' }), ' ', make('b'), ' ', make('small'));
  keyed(list, items, (item) => item.name, create, (child, item) => {
    const [name, number, note] = child.children;
    setText(name, item.name);
    if (typeof item.value === 'number') {
      count(number, item.value, item.series, item.text);
    } else {
      setText(number, item.text);
    }
    setText(note, item.note ?? '');
  });
}

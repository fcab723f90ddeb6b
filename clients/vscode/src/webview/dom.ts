// Elements by name and text: the only way in which this page makes DOM.
import type { Node } from './markdown';

export type Attributes = Record<string, string>;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (globalThis.Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function button(label: string, action: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, label);
  made.addEventListener('click', action);
  return made;
}

export interface Makers {
  cite(n: number): HTMLElement;
  code(text: string, language: string): HTMLElement;
}

export function render(nodes: readonly Node[], makers: Makers): (HTMLElement | string)[] {
  return nodes.map((node) => {
    if (typeof node === 'string') {
      return node;
    }
    if ('cite' in node) {
      return makers.cite(node.cite);
    }
    return 'code' in node ? makers.code(node.code, node.language) : element(node.tag, {}, ...render(node.children, makers));
  });
}

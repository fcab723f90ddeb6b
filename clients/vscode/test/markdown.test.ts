// Answers become a tree of allowed elements; payloads stay text.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Node, tree } from '../src/webview/markdown';

const none = new Set<number>();

function text(nodes: readonly Node[]): string {
  return nodes.map((node) => (typeof node === 'string' ? node : 'cite' in node ? `<${node.cite}>` : 'code' in node ? node.code : text(node.children))).join('');
}

test('markdown has its elements', () => {
  const nodes = tree('# T\n\n- a\n- **b**\n\n```js\nlet x\n```\n\n|a|\n|-|\n|1|', none);
  const tags = nodes.map((node) => (typeof node === 'string' ? node : 'tag' in node ? node.tag : 'code' in node ? `code:${node.language}` : 'cite'));
  assert.deepEqual(tags, ['h3', 'ul', 'code:js', 'table']);
});

test('only numbers that the answer cites can be clicked', () => {
  assert.equal(text(tree('See [1] and [7], `[1]` too.', new Set([1]))), 'See <1> and [7], [1] too.');
});

test('links, images, autolinks, references and HTML are no syntax', () => {
  const payloads = ['[x](javascript:a)', '![x](http://h/i.png)', '<http://h/>', '[x]: http://h/', '<b onclick=a>x</b>', '<script>a</script>'];
  for (const payload of payloads) {
    assert.equal(text(tree(payload, none)).trim(), payload);
  }
});

test('a fence names no language but a word', () => {
  const [code] = tree('```js"><img\nx\n```', none);
  assert.deepEqual(code, { code: 'x', language: 'js' });
});

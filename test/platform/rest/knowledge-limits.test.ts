import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ValidationError } from '../../../src/platform/platform-errors.ts';
import { checkKnowledge } from '../../../src/platform/rest/knowledge-limits.ts';
import { rejection } from '../../support/until.ts';
import { ScriptedApi } from './scripted-api.ts';

const test = suite('knowledge limits');

const passes = (body: Record<string, unknown>): void => checkKnowledge(body);
const fails = (body: Record<string, unknown>, words: RegExp): void => {
  assert.throws(
    () => checkKnowledge(body),
    (error: unknown) => error instanceof ValidationError && words.test(error.message),
    JSON.stringify(body).slice(0, 80),
  );
};
const text = (length: number, letter = 'x'): Record<string, unknown> => ({
  type: 'TEXT',
  content: letter.repeat(length),
});

test('a text has 50 to 5,000 characters, whatever they are made of', () => {
  fails(text(49), /49 characters/);
  passes(text(50));
  passes(text(5000));
  fails(text(5001), /5001 characters/);
  passes(text(50, 'م'));
  fails(text(49, '😀'), /49 characters/);
  passes(text(5000, '😀'));
  fails({ content: 'short' }, /5 characters/);
  passes({ name: 'a new name' });
});

test('a file is of a kind that the platform reads', () => {
  for (const kind of ['pdf', 'docs', 'docx', 'DOC', 'txt', 'html', 'EPUB']) {
    passes({ type: 'FILE', name: `a.b.${kind}` });
    passes({ type: 'FILE', name: 'handbook', url: `https://example.com/a.${kind}?v=1.exe` });
  }
  for (const name of ['a.exe', 'a.png', 'pdf', 'a.', 'a.pdf.zip']) fails({ type: 'FILE', name }, /kind/);
  fails({ type: 'FILE' }, /kind/);
});

test('an item has at most 100 web pages, each an http or https URL', () => {
  const urls = (count: number): string[] => Array.from({ length: count }, (_, i) => `https://example.com/${i}`);
  passes({ type: 'URL', urls: urls(100) });
  fails({ type: 'URL', urls: urls(101) }, /101 pages/);
  fails({ urls: urls(101) }, /101 pages/);
  fails({ type: 'URL', url: 'example.com' }, /no web page/);
  fails({ type: 'URL', urls: ['https://ok.example', 'file:///etc/passwd'] }, /no web page/);
});

test('a kind of item is TEXT, FILE or URL', () =>
  fails({ type: 'text', content: 'x'.repeat(60) }, /TEXT, FILE or URL/));

test('each of several items is checked', () => {
  fails({ items: [text(50), text(49)] }, /49 characters/);
});

test('nothing is sent that does not keep the limits', async () => {
  const api = await ScriptedApi.start();
  const { knowledgeBase } = api.client();
  for (const call of [
    () => knowledgeBase.create({ type: 'TEXT', content: 'short' }),
    () => knowledgeBase.update('k', { content: 'short' }),
    () =>
      knowledgeBase.addUrl(
        'k',
        Array.from({ length: 101 }, () => 'https://example.com'),
      ),
    () => knowledgeBase.addUrl('k', 'nonsense'),
  ]) {
    assert.instance(await rejection(call()), ValidationError);
  }
  assert.is(api.seen.length, 0);
  await api.close();
});

test.run();

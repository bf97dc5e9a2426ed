import type { ClientTool } from './conversation-request.ts';

/** What the agent does about what it heard. */
export type Reply =
  | { readonly kind: 'say'; readonly texts: readonly string[] }
  | { readonly kind: 'tool'; readonly name: string; readonly arguments: Readonly<Record<string, unknown>> }
  | { readonly kind: 'hang-up'; readonly texts: readonly string[] };

const FAREWELL = /\b(?:good ?bye|bye)\b/i;
/** Words that say nothing about what a tool is for. */
const EMPTY_WORDS = new Set(
  'the and for get gets set sets with from that this which who what when their your its'.split(' '),
);
const NUMBER_WORDS = 'zero one two three four five six seven eight nine ten eleven twelve'.split(' ');
const MAX_SPOKEN_RESPONSE_CHARACTERS = 500;

/**
 * Chooses what to do. `texts` are in order of preference: a voice may not be able to say the first.
 *
 * A tool is called if two words of its name and description were said, or all of its name's; the one with the most such
 * words, and the earlier of two. Then there is "goodbye". Everything else is repeated.
 */
export function chooseReply(
  heard: string,
  tools: readonly ClientTool[],
  params: Readonly<Record<string, unknown>>,
): Reply {
  const said = new Set(wordsOf(heard));
  let best: ClientTool | undefined;
  let bestScore = 0;
  for (const tool of tools) {
    const score = scoreOf(tool, said);
    if (score <= bestScore) continue;
    best = tool;
    bestScore = score;
  }
  if (best) return { kind: 'tool', name: best.name, arguments: argumentsOf(best, heard, params) };
  if (FAREWELL.test(heard)) return { kind: 'hang-up', texts: ['Goodbye.'] };
  return { kind: 'say', texts: [`You said: ${heard}`, heard] };
}

/** What the agent says about the answer of a tool. */
export function sayResponse(name: string, response: unknown): string[] {
  const text = (typeof response === 'string' ? response : (JSON.stringify(response) ?? 'nothing')).trim();
  const spoken = text.slice(0, MAX_SPOKEN_RESPONSE_CHARACTERS) || 'nothing';
  return [`The result of ${splitName(name).join(' ')} is: ${spoken}`, spoken];
}

/** `Hello {{name}}`, with the params of the conversation in their places. */
export function fillIn(template: string, params: Readonly<Record<string, unknown>>): string {
  return template.replace(/\{\{\s*([\w.-]+)\s*\}\}/g, (_whole, name: string) =>
    Object.hasOwn(params, name) ? String(params[name]) : '',
  );
}

/** Words of the tool that were said; 0 if they are too few. */
function scoreOf({ name, description = '' }: ClientTool, said: ReadonlySet<string>): number {
  const ofName = new Set(wordsOf(splitName(name).join(' ')));
  const all = new Set([...ofName, ...wordsOf(description)]);
  const score = [...all].filter((word) => said.has(word)).length;
  const isNamed = ofName.size > 0 && [...ofName].every((word) => said.has(word));
  return score >= 2 || isNamed ? score : 0;
}

/**
 * A parameter named like one of the conversation gets that one's value; a number the first number that was said; a
 * boolean `true`; everything else what was said.
 */
function argumentsOf(
  { parameters }: ClientTool,
  heard: string,
  params: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const values = Object.entries(parameters.properties).map(([name, { type }]) => {
    if (Object.hasOwn(params, name)) return [name, params[name]];
    if (type === 'number' || type === 'integer') return [name, numberIn(heard)];
    return [name, type === 'boolean' ? true : heard];
  });
  return Object.fromEntries(values) as Record<string, unknown>;
}

function numberIn(heard: string): number {
  for (const word of heard.toLowerCase().match(/\d+|[a-z]+/g) ?? []) {
    const value = /^\d/.test(word) ? Number(word) : NUMBER_WORDS.indexOf(word);
    if (value >= 0) return value;
  }
  return 0;
}

/** `getUserInfo` and `get_user_info` → get, user, info. */
function splitName(name: string): string[] {
  return name
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\d]+/u)
    .filter((word) => word !== '');
}

/** Singular and plural, `leave` and `leaves` count as one. */
function wordsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\d]{3,}/gu) ?? [];
  return words.filter((word) => !EMPTY_WORDS.has(word)).map((word) => word.replace(/(?<=...)s$/, ''));
}

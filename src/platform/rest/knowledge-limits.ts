import { isRecord, platformError, type ValidationError } from '../platform-errors.ts';

const MIN_TEXT_CHARACTERS = 50;
const MAX_TEXT_CHARACTERS = 5_000;
const MAX_URLS = 100;
/** The platform's guide writes DOCS for what everybody else writes DOCX. */
const FILE_KINDS: readonly string[] = ['pdf', 'docs', 'docx', 'doc', 'txt', 'html', 'epub'];

/**
 * Checks what the platform says about knowledge-base items: texts of 50 to 5,000 characters, files of its kinds, at
 * most 100 web pages. `body` is one item or, as the platform's reference has it, `{items: […]}`.
 *
 * @throws ValidationError - naming the field, and what it needs.
 */
export function checkKnowledge(body: Readonly<Record<string, unknown>>): void {
  const items = Array.isArray(body['items']) ? body['items'] : [body];
  for (const item of items) if (isRecord(item)) checkItem(item);
}

function checkItem(item: Readonly<Record<string, unknown>>): void {
  const { type, content } = item;
  if (type !== undefined && type !== 'TEXT' && type !== 'FILE' && type !== 'URL') {
    throw refusal(`type is ${JSON.stringify(type)}`, 'TEXT, FILE or URL');
  }
  if (typeof content === 'string' && (type === 'TEXT' || type === undefined)) checkText(content);
  if (type === 'FILE') checkFile(item);
  const urls = item['urls'] ?? item['itemUrls'];
  if (Array.isArray(urls) && urls.length > MAX_URLS) {
    throw refusal(`urls has ${urls.length} pages`, `at most ${MAX_URLS}`);
  }
  const pages = type === 'FILE' ? [] : [item['url'] ?? item['itemUrl'], ...(Array.isArray(urls) ? urls : [])];
  for (const page of pages) {
    if (page !== undefined && !isWebPage(page))
      throw refusal(`'${String(page)}' is no web page`, 'an http or https URL');
  }
}

function checkText(content: string): void {
  const characters = Array.from(content).length;
  if (characters >= MIN_TEXT_CHARACTERS && characters <= MAX_TEXT_CHARACTERS) return;
  throw refusal(`content has ${characters} characters`, `${MIN_TEXT_CHARACTERS} to ${MAX_TEXT_CHARACTERS}`);
}

/** A file is known by the end of its name, or of its URL. */
function checkFile(item: Readonly<Record<string, unknown>>): void {
  const url = item['url'] ?? item['itemUrl'];
  const path = typeof url === 'string' && URL.canParse(url) ? new URL(url).pathname : url;
  const name = item['fileName'] ?? path ?? item['name'] ?? item['itemName'];
  const kind = typeof name === 'string' ? /\.([a-z0-9]+)$/i.exec(name)?.[1] : undefined;
  if (kind !== undefined && FILE_KINDS.includes(kind.toLowerCase())) return;
  throw refusal(
    kind === undefined ? 'the kind of the file can not be told from its name' : `the file is of kind '${kind}'`,
    FILE_KINDS.join(', '),
  );
}

function isWebPage(page: unknown): boolean {
  return typeof page === 'string' && URL.canParse(page) && /^https?:$/.test(new URL(page).protocol);
}

function refusal(found: string, needed: string): ValidationError {
  return platformError('ERR_PLATFORM_REQUEST', `knowledge base: ${found}; needed: ${needed}`);
}

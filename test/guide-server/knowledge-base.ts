import { toggleActivation } from './activation.ts';
import { badRequest, ok } from './answers.ts';
import type { GuideState } from './state.ts';
import type { JsonObject, Route, UploadedFile } from './types.ts';
import { requireBody, stringsIn } from './validate.ts';

type ItemType = 'TEXT' | 'FILE' | 'URL';

const MIN_TEXT = 50;
const MAX_TEXT = 5_000;
const MAX_URLS = 100;
/** The guide writes "DOCS"; docx is taken as well, since no common file ends in docs. */
const FILE_ENDINGS: ReadonlySet<string> = new Set(['pdf', 'docs', 'docx', 'doc', 'txt', 'html', 'epub']);

function isItemType(value: unknown): value is ItemType {
  return value === 'TEXT' || value === 'FILE' || value === 'URL';
}

function isUrl(text: string): boolean {
  return /^https?:\/\/\S+$/i.test(text);
}

function itemTypeOf(item: JsonObject): ItemType | undefined {
  return Object.values(item).find(isItemType);
}

function checkFile(file: UploadedFile): void {
  const ending = file.fileName.split('.').at(-1)?.toLowerCase() ?? '';
  if (!FILE_ENDINGS.has(ending)) {
    throw badRequest('A knowledge file must be PDF, DOCS, DOC, TXT, HTML or EPUB.');
  }
}

/**
 * Checks the limits of "Knowledge Base Item Types". The guide names no field, so the type is the
 * field whose value is TEXT, FILE or URL, the text of a TEXT item is the longest string of the
 * item, and the URLs of a URL item are all its strings that are http(s) addresses.
 */
function checkItem(item: JsonObject): void {
  const type = itemTypeOf(item);
  if (type === undefined) throw badRequest('The item type must be TEXT, FILE or URL.');
  if (type === 'TEXT') {
    const longest = Math.max(0, ...stringsIn(item).map((text) => Array.from(text).length));
    if (longest < MIN_TEXT || longest > MAX_TEXT) {
      throw badRequest('The text must have 50 to 5,000 characters.');
    }
  }
  if (type === 'URL' && stringsIn(item).filter(isUrl).length > MAX_URLS) {
    throw badRequest('An item holds up to 100 URLs.');
  }
}

function asList(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly unknown[]) : [value];
}

/**
 * Section "Knowledge Base". A FILE item may come as JSON or as multipart/form-data; the guide
 * shows neither. The storage quotas of section "Storage Quotas" depend on a tier that no request
 * carries, and so they are not enforced.
 */
export function knowledgeBaseRoutes(state: GuideState): readonly Route[] {
  const items = state.knowledgeItems;
  const base = '/v1/voice-agents/knowledge-base';
  return [
    {
      method: 'POST',
      path: base,
      acceptsMultipart: true,
      handle: (context) => {
        const body = requireBody(context);
        // A multipart upload that carries a file and no type is a FILE item.
        if (itemTypeOf(body) !== undefined || context.files.length === 0) checkItem(body);
        context.files.forEach(checkFile);
        return ok(items.add(body));
      },
    },
    { method: 'GET', path: `${base}/list`, handle: () => ok(items.list()) },
    { method: 'GET', path: `${base}/{id}`, handle: (context) => ok(items.get(context.id)) },
    {
      method: 'PATCH',
      path: `${base}/{id}`,
      handle: (context) => {
        const item = items.get(context.id);
        const body = requireBody(context);
        if (itemTypeOf(item) !== undefined) checkItem({ ...item, ...body });
        return ok(items.update(context.id, body));
      },
    },
    {
      method: 'DELETE',
      path: `${base}/{id}`,
      handle: (context) => {
        items.remove(context.id);
        return ok({});
      },
    },
    {
      // The guide names no field: every field of the body that holds http(s) addresses is added to
      // the item's field of the same name, as a list. Only a URL item takes addresses.
      method: 'POST',
      path: `${base}/{id}/url`,
      handle: (context) => {
        const item = items.get(context.id);
        const body = requireBody(context);
        if (itemTypeOf(item) !== 'URL') throw badRequest('Only a URL item takes URLs.');
        const withUrls = Object.entries(body).filter(([, value]) => stringsIn(value).some(isUrl));
        if (withUrls.length === 0) throw badRequest('The request body holds no http(s) URL.');
        const changes = Object.fromEntries(
          withUrls.map(([name, value]) => [name, [...asList(item[name]), ...asList(value)]]),
        );
        checkItem({ ...item, ...changes });
        return ok(items.update(item.id, changes));
      },
    },
    {
      method: 'POST',
      path: `${base}/toggle-activation`,
      handle: toggleActivation(items, 'Knowledge item'),
    },
  ];
}

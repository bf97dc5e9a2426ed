import { ApiError } from './api-error.ts';
import { type Fields, invalid } from './api/fields.ts';
import type { Collection } from './state/collection.ts';
import type { KnowledgeItem } from './state/records.ts';

const MIB = 1_048_576;

export const TIERS = ['free', 'starter', 'creator', 'pro', 'business', 'enterprise'] as const;
export type Tier = (typeof TIERS)[number];

/** What an account may keep in its knowledge base, by its tier. */
export const STORAGE_BYTES: Readonly<Record<Tier, number>> = {
  free: MIB,
  starter: 5 * MIB,
  creator: 10 * MIB,
  pro: 50 * MIB,
  business: 100 * MIB,
  enterprise: 300 * MIB,
};

const MAX_URLS = 100;
const MIN_TEXT_CHARACTERS = 50;
const MAX_TEXT_CHARACTERS = 5_000;
/** The guide writes DOCS for what everybody else writes DOCX. */
const FILE_KINDS: readonly string[] = ['pdf', 'docs', 'docx', 'doc', 'txt', 'html', 'epub'];

type Contents = Pick<KnowledgeItem, 'type' | 'name' | 'content' | 'url' | 'urls'>;

/** What an item takes of the storage: its texts, its file, and what is behind its addresses. */
export function sizeOf(item: Contents & Pick<KnowledgeItem, 'fileBytes' | 'pageBytes'>): number {
  const { name, content = '', url = '', urls, fileBytes, pageBytes } = item;
  return [name, content, url, ...urls].reduce((sum, part) => sum + Buffer.byteLength(part), fileBytes + pageBytes);
}

/** The addresses of an item, each once. */
export function addressesOf({ url, urls }: Pick<KnowledgeItem, 'url' | 'urls'>): string[] {
  return [...new Set(url === undefined ? urls : [url, ...urls])];
}

/** @throws ApiError 400 - the guide does not allow such an item. */
export function checkItem(item: Contents & Fields): void {
  const { type, content, url, urls } = item;
  if (type === 'TEXT') {
    const characters = Array.from(content ?? '').length;
    if (characters < MIN_TEXT_CHARACTERS || characters > MAX_TEXT_CHARACTERS) {
      throw invalid(
        'content',
        `must have ${MIN_TEXT_CHARACTERS} to ${MAX_TEXT_CHARACTERS} characters, has ${characters}`,
      );
    }
  }
  if (type === 'FILE' && !FILE_KINDS.includes(kindOf(item))) throw invalid('url', `must be ${FILE_KINDS.join(', ')}`);
  const pages = type === 'FILE' ? [] : url === undefined ? urls : [url, ...urls];
  if (type === 'URL' && pages.length === 0) throw invalid('url', 'is required');
  if (urls.length > MAX_URLS || pages.length > MAX_URLS) throw invalid('urls', `must be ${MAX_URLS} at most`);
  if (!pages.every(isWebPage)) throw invalid('urls', 'must be http or https URLs');
}

/** @throws ApiError 400 - the storage of the tier would not hold `item` besides the others. */
export function checkStorage(knowledge: Collection<KnowledgeItem>, tier: Tier, item: KnowledgeItem): void {
  const limitBytes = STORAGE_BYTES[tier];
  const others = knowledge.all().filter(({ id }) => id !== item.id);
  const usedBytes = others.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (usedBytes + item.sizeBytes <= limitBytes) return;
  throw new ApiError(400, 'The storage of the knowledge base is full', {
    tier,
    limitBytes,
    usedBytes,
    neededBytes: item.sizeBytes,
  });
}

/** A file is known by the end of its name, or of its URL. */
function kindOf({ url, name, ...rest }: Contents & Fields): string {
  const path = url !== undefined && URL.canParse(url) ? new URL(url).pathname : url;
  const { fileName } = rest as { fileName?: unknown };
  const named = typeof fileName === 'string' ? fileName : (path ?? name);
  return /\.([a-z0-9]+)$/i.exec(named)?.[1]?.toLowerCase() ?? '';
}

function isWebPage(page: string): boolean {
  return URL.canParse(page) && /^https?:$/.test(new URL(page).protocol);
}

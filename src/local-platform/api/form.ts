import { ApiError } from '../api-error.ts';

/**
 * A `multipart/form-data` body as the object that it stands for. A file is what it says of itself, `fileName`,
 * `contentType` and `fileBytes`; its bytes are not kept.
 *
 * @throws ApiError 400 - it is no form, or has more than one file.
 */
export async function parseForm(bytes: Uint8Array<ArrayBuffer>, contentType: string): Promise<Record<string, unknown>> {
  let form: FormData;
  try {
    form = await new Response(bytes, { headers: { 'content-type': contentType } }).formData();
  } catch {
    throw new ApiError(400, 'The body is not a form');
  }
  const fields: Record<string, unknown> = {};
  for (const [name, value] of form) {
    if (typeof value === 'string') {
      fields[name] = value;
      continue;
    }
    if (fields['fileName'] !== undefined) throw new ApiError(400, 'The form has more than one file');
    fields['fileName'] = value.name;
    fields['contentType'] = value.type;
    fields['fileBytes'] = value.size;
  }
  return fields;
}

/** JSON with sorted keys: equal texts are equal values, whatever the order of insertion. */
export function canonicalJson(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    fields.sort(([left], [right]) => (left < right ? -1 : 1));
    const texts = fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`);
    return `{${texts.join(',')}}`;
  }
  return JSON.stringify(value);
}

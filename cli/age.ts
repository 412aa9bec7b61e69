/** How long ago something was, in the largest unit of which there are two. `at` is RFC 3339. */
export function ageText(at: string | undefined): string | undefined {
  if (at === undefined) return undefined;
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(at)) / 1_000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes}m`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)}h` : `${Math.floor(minutes / 1440)}d`;
}

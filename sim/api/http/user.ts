import type { HttpRequest } from './message.ts';

const tokenUser = /^Bearer user:(\S+)$/u;

/**
 * Who asks: the impersonated user, the NAME of a token `user:NAME`, or the program. Any other token
 * counts as the program's, so that no secret turns up in a record (A18).
 */
export function userOf(request: HttpRequest): string {
  const { headers } = request;
  const impersonated = headers.get('impersonate-user');
  if (impersonated !== undefined && impersonated !== '') return impersonated;
  const [, named] = tokenUser.exec(headers.get('authorization') ?? '') ?? [];
  if (named !== undefined) return named;
  const [program = ''] = (headers.get('user-agent') ?? '').split(/[/ ]/u);
  return program === '' ? 'http' : program;
}

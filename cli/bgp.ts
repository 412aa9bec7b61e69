import type { Command } from 'commander';
import { registerBgpConvert } from './bgpconvert.ts';
import type { Session } from './session.ts';

/** `fairlead bgp convert`: what concerns BGP. */
export function registerBgp(program: Command, session: Session): void {
  const bgp = program.command('bgp').description('BGP: legacy policies as the kinds of today');
  registerBgpConvert(bgp, session);
}

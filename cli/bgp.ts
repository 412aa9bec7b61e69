import type { Command } from 'commander';
import { registerBgpConvert } from './bgpconvert.ts';
import { registerBgpViews } from './bgpviews.ts';
import type { Session } from './session.ts';

/** `fairlead bgp peers|routes|policies|convert`: what concerns BGP. */
export function registerBgp(program: Command, session: Session): void {
  const bgp = program.command('bgp').description('BGP: sessions and routes; legacy policies');
  registerBgpViews(bgp, session);
  registerBgpConvert(bgp, session);
}

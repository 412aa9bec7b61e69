import { gobgpd, withGobgp } from '../bgp/routers/gobgpbench.ts';
import { speakerContract } from './speakersuite.ts';

const { command, missing } = gobgpd();

speakerContract({
  name: 'GoBGP', skip: missing !== undefined, with: (body) => withGobgp(command, body),
});

import { simBench } from '../sim/bgp-bench.ts';
import { speakerContract } from './speakersuite.ts';

speakerContract({ name: 'simulated speaker', with: (body) => body(simBench()) });

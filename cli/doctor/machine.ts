import { release } from 'node:os';
import { existsSync } from 'node:fs';
import { features, missingText } from '../../bpf/features.ts';
import { probeFeatures } from '../../bpf/features.real.ts';
import { cgroupRoot, nodeFolder } from '../../bpf/pins.real.ts';
import { capabilities, missingCapabilities } from '../daemon/capabilities.ts';
import { fail, ok, skip, warn, type Check, type Finding, type Surroundings } from './check.ts';

/** `6.18` of a release such as `6.18.44-amd64`, to be compared as numbers. */
export function kernelFinding(text: string): Finding {
  const [major = 0, minor = 0] = text.split(/[.-]/u).map(Number);
  const shown = `${major}.${minor} (full 6.6, reduced 5.10)`;
  const at = major * 1_000 + minor;
  if (at >= 6_006) return ok(shown);
  if (at >= 5_010) return warn(shown, 'Linux 6.6 or newer; see fairlead doctor --check tcx');
  return fail(shown, 'Linux 5.10 or newer');
}

/** By the line CapEff of /proc/self/status, a mask in hexadecimal (capabilities(7)). */
export function capabilityFinding(status: string): Finding {
  const missing = missingCapabilities(status);
  const names = missing.map(({ name }) => name).join(', ');
  if (missing.length === 0) return ok(capabilities.map(({ name }) => name).join(', '));
  const needed = missing.filter(({ cost }) => cost === undefined);
  if (needed.length > 0) return fail(`missing: ${names}`, 'run it as root, or as the agent runs');
  return warn(`missing: ${names}: ${missing[0]?.cost ?? ''}`, 'leave the overlay hardened');
}

/** RLIMIT_MEMLOCK counts for maps before Linux 5.11 (kernel/bpf/syscall.c). */
export function memlockFinding(kernel: string, limits: string): Finding {
  const [major = 0, minor = 0] = kernel.split(/[.-]/u).map(Number);
  if (major * 1_000 + minor >= 5_011) return ok('maps are counted by memory cgroups');
  const soft = /^Max locked memory\s+(\S+)/mu.exec(limits)?.[1] ?? '0';
  if (soft === 'unlimited') return ok('unlimited');
  return fail(`${soft} bytes for maps of a hundred megabytes`, 'the overlay legacy');
}

function tcx({ addon, addonMissing }: Surroundings): Finding {
  if (addon === undefined) return skip(addonMissing);
  const found = probeFeatures(addon);
  if (!found.has('ring-buffer')) return skip('no map may be made here; run it as root');
  const missing = features.filter(({ name }) => !found.has(name));
  const texts = missing.map(missingText).join('; ');
  if (missing.some(({ required }) => required)) return fail(texts, 'a newer kernel');
  if (missing.length > 0) return warn(texts, 'a newer kernel, where that matters');
  return ok(`${features.length} of ${features.length} kernel features`);
}

function seccomp({ addon, addonMissing, read }: Surroundings): Finding {
  const mode = /^Seccomp:\s*(\d)$/mu.exec(read('/proc/self/status') ?? '')?.[1];
  if (mode !== '2') return ok('no filter');
  if (addon === undefined) return skip(addonMissing);
  if (capabilityFinding(read('/proc/self/status') ?? '').result === 'FAIL') {
    return skip('without the capabilities of the agent nothing can be said');
  }
  if (probeFeatures(addon).has('ring-buffer')) return ok('the filter admits bpf(2)');
  return fail('the filter refuses bpf(2) even under CAP_BPF', 'the overlay legacy');
}

/** Kernel, memory and files of this machine. */
export const machineChecks: readonly Check[] = [
  {
    name: 'kernel', asks: 'Is the kernel new enough?',
    page: 'Programs need Linux 5.10. Before 6.6 they are attached as clsact filters, and some '
      + 'refusals look different to programs; `tcx` lists what is missing.',
    look: () => kernelFinding(release()),
  },
  {
    name: 'btf', asks: 'Does the kernel describe its types?',
    page: 'Loops in programs call back through type information. A kernel built without '
      + 'CONFIG_DEBUG_INFO_BTF works, with fewer tries for a free port.',
    look: () => (existsSync('/sys/kernel/btf/vmlinux')
      ? ok('/sys/kernel/btf/vmlinux')
      : warn('/sys/kernel/btf/vmlinux is absent', 'a kernel with CONFIG_DEBUG_INFO_BTF')),
  },
  {
    name: 'tcx', asks: 'Which kernel features are there?',
    page: 'Each feature is found by using it, because version numbers and feature lists lie. What '
      + 'is missing is named with its effect and the release that brings it.',
    look: tcx,
  },
  {
    name: 'cgroup-root', asks: 'Do socket hooks cover every process of the node?',
    page: 'Hooks sit on the root of cgroup2. A container sees a folder below it unless the '
      + 'root of the node is mounted; then the sockets of pods are not translated.',
    look: () => {
      const root = cgroupRoot();
      return root.ok ? ok(root.value) : fail(root.error.text, 'mount /sys/fs/cgroup of the node');
    },
  },
  {
    name: 'bpffs', asks: 'Is there a place for pins?',
    page: 'Maps and links stay pinned while no agent runs, which is what keeps Services alive '
      + 'through a restart.',
    look: ({ nodeName }) => {
      const folder = nodeFolder(nodeName);
      return folder.ok ? ok(folder.value) : fail(folder.error.text, 'mount -t bpf bpf /sys/fs/bpf');
    },
  },
  {
    name: 'capabilities', asks: 'May this process do what the agent does?',
    page: 'The agent is not privileged: it needs BPF, NET_ADMIN, NET_RAW and PERFMON, and '
      + 'SYS_ADMIN to enter the network namespaces of pods.',
    look: ({ read }) => capabilityFinding(read('/proc/self/status') ?? ''),
  },
  {
    name: 'seccomp', asks: 'Does the runtime let bpf(2) through?',
    page: 'Older runtimes keep bpf(2) behind CAP_SYS_ADMIN in their default profile '
      + '(containerd 7301). The overlay legacy runs without one.',
    look: seccomp,
  },
  {
    name: 'memlock', asks: 'Is there memory for maps?',
    page: 'Before Linux 5.11 maps count against RLIMIT_MEMLOCK of the process that makes them.',
    look: ({ read }) => memlockFinding(release(), read('/proc/self/limits') ?? ''),
  },
  {
    name: 'native-addon', asks: 'Does the native addon load?',
    page: 'The addon makes the system calls that Node has not. Without it client, controller and '
      + 'simulator work; the agent does not.',
    look: ({ addon, addonMissing }) => (addon === undefined
      ? fail(addonMissing, 'node bpf/addon/build.real.ts') : ok(`linux-${process.arch}`)),
  },
];

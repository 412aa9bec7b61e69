import type { Judged } from './simrun.ts';

/**
 * Runs as JUnit XML: one suite a run, one test case for each check, expectation and oracle finding.
 */
export function junitOf(results: readonly Judged[]): string {
  const suites = results.map(({ file, verdict, difference }) => {
    const cases = [
      ...verdict.checks.map((check) =>
        testCase(`${check.path} ${check.what}`, check.passed ? undefined : check.message),
      ),
      ...verdict.expectations.map((one) =>
        testCase(one.name, one.passed ? undefined : one.message),
      ),
      ...verdict.findings.map((finding) =>
        testCase(finding.oracle, `${finding.object}: ${finding.text}`),
      ),
      ...(difference === undefined ? [] : [testCase('deterministic', difference)]),
    ];
    const failures = cases.filter((one) => one.includes('<failure')).length;
    const name = escapeXml(`${verdict.scenario} seed ${verdict.seed}`);
    const replay = escapeXml(`fairlead sim run ${file} --seed ${verdict.seed}`);
    return (
      `<testsuite name="${name}" tests="${cases.length}" failures="${failures}">` +
      `${cases.join('')}<system-out>${replay}</system-out></testsuite>`
    );
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>${suites.join('\n')}</testsuites>\n`;
}

function testCase(name: string, failure: string | undefined): string {
  const body = failure === undefined ? '' : `<failure message="${escapeXml(failure)}"/>`;
  return `<testcase name="${escapeXml(name)}">${body}</testcase>`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

function escapeXml(text: string): string {
  return (
    text
      .replace(/[&<>"]/gu, (sign) => entities[sign] ?? '')
      // Control characters have no place in XML 1.0, not even escaped.
      // oxlint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/gu, ' ')
  );
}

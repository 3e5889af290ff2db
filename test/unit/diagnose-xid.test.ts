import { expect, test } from 'vitest';
import { sxidRows } from '../../src/diagnose/sxid-table.ts';
import { actions } from '../../src/diagnose/verdict.ts';
import { explainSxid, explainXid } from '../../src/diagnose/xid.ts';
import { isFatalXid } from '../../src/diagnose/xid-fatal.ts';
import { unusedXids, xidRows } from '../../src/diagnose/xid-table.ts';

test.for([
  [13, 'Graphics SM Warp Exception', 'warning', 'restartWorkload'],
  [31, 'MMU Fault', 'warning', 'restartWorkload'],
  [43, 'Ch 00000008', 'info', 'none'],
  [48, 'DBE (double bit error)', 'critical', 'resetGpu'],
  [63, 'Row Remapper: New row marked for remapping', 'info', 'none'],
  [79, 'GPU has fallen off the bus.', 'fatal', 'rebootNode'],
  [119, 'Timeout after 6s of waiting for RPC response from GPU0 GSP!', 'critical', 'resetGpu'],
  [149, 'NETIR_LINK_EVT Fatal XC1 i0 Link 08 (0x004505c6 0x00000000)', 'critical', 'resetGpu'],
  [149, 'NETIR_LINK_EVT Nonfatal XC0 i0 Link 08 (0x004505c6 0x00000000)', 'warning', 'none'],
  [154, 'GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)', 'critical', 'resetGpu'],
  [
    154,
    'GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)',
    'critical',
    'rebootNode',
  ],
  [154, 'GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)', 'info', 'none'],
  [154, 'something new', 'unknown', 'runDiagnostics'],
  [9999, '', 'unknown', 'contactSupport'],
] as const)('Xid %i, %s: %s, %s', ([code, message, severity, action]) => {
  expect(explainXid(code, message)).toMatchObject({ severity, action });
});

test('the table is whole: each code once, every Xid has a name, and an action that we know', () => {
  const codes = [...xidRows.map(([code]) => code), ...unusedXids];

  expect(new Set(codes).size).toBe(codes.length);
  expect(codes.length).toBe(176);
  for (const code of codes) {
    const { name, action } = explainXid(code, '');
    expect(name).not.toBe('');
    expect(actions).toContain(action);
  }
});

test('no text sends its reader to what only this program has: no key, no table of ours', () => {
  const rows = [
    ...xidRows.map(([code]) => explainXid(code, '')),
    ...sxidRows.map(([code]) => explainSxid(code, true)),
  ];
  const texts = rows
    .flatMap(({ meaning, nvidiaAction }) => [meaning, nvidiaAction])
    .filter((text) => text !== null);

  expect(texts.filter((text) => /\(see |see entry|[a-z]\d*_[a-z]|[A-Z]_[A-Z]/.test(text))).toEqual([]);
});

test('where a line says what to do, that is told', () => {
  const told = (code: number, message: string) => explainXid(code, message).nvidiaAction;

  expect(told(154, 'GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)')).toBe(
    "The driver's recovery action is now: GPU Reset Required.",
  );
  expect(told(149, 'NETIR_LINK_EVT Fatal XC1 i0 Link 08 (0x004505c6 0x00000000)')).toMatch(
    /^Drain the GPU and reset it/,
  );
  expect(told(149, 'NETIR_LINK_EVT Nonfatal XC0 i0 Link 08 (0x004505c6 0x00000000)')).toMatch(/^No action/);
  expect(told(149, '')).toMatch(/^Look at the line: Nonfatal/);
});

test('an Xid after which metrics call a GPU untrustworthy has an action that says so, and the other way round', () => {
  const drastic = new Set(['resetGpu', 'rebootNode']);
  for (const [code] of xidRows) {
    const { severity, action } = explainXid(code, '');
    const distrusted = severity === 'critical' || severity === 'fatal';
    if (isFatalXid(code, ''))
      expect([code, drastic.has(action) || action === 'contactSupport']).toEqual([code, true]);
    else expect([code, distrusted && drastic.has(action)]).toEqual([code, false]);
  }
});

test('an SXid that asks for a reset is critical; one that calls itself non-fatal asks for it only if it is never fatal', () => {
  const resets = ['resetGpu', 'rebootNode'];
  const says = [true, false, undefined];
  const all = sxidRows.flatMap(([code]) =>
    says.map((fatal) => ({ code, fatal, ...explainSxid(code, fatal) })),
  );
  const asking = all.filter(({ action }) => resets.includes(action));

  expect(new Set(asking.map(({ severity }) => severity))).toEqual(new Set(['critical']));
  expect(asking.filter(({ fatal }) => fatal === false).map(({ code }) => code)).toEqual([12_028, 19_084]);
  expect(all.filter(({ severity, action }) => severity === 'critical' && action === 'none')).toEqual([]);
});

test('what a table says of a fatal SXid is not told of one that calls itself non-fatal', () => {
  expect(explainSxid(20_034, true)).toMatchObject({ action: 'resetGpu', nvidiaAction: 'reset the GPU' });
  expect(explainSxid(20_034, false)).toMatchObject({ action: 'none', nvidiaAction: null });
});

test('an SXid is as fatal as its line says, and else as the table', () => {
  expect(explainSxid(20_034, true)).toMatchObject({ severity: 'critical' });
  expect(explainSxid(20_034, false)).toMatchObject({ severity: 'warning' });
  expect(explainSxid(10_003, undefined)).toMatchObject({ severity: 'critical', action: 'rebootNode' });
  expect(explainSxid(1, undefined)).toMatchObject({ name: 'SXid 1', severity: 'warning', action: 'none' });
});

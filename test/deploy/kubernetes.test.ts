import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { Service } from 'kubernetes-models/v1/Service';
import { readConfig } from '../../src/config';

const ROOT = resolve(__dirname, '../..');
const FOLDER = join(ROOT, 'deploy/kubernetes');

const text = (file: string): string => readFileSync(join(FOLDER, file), 'utf8');

/** File → the module that has its type, the type, and the check of values that types cannot express. */
const KINDS: Record<
  string,
  { module: string; type: string; newer?: string; validate: (yaml: string) => void }
> = {
  'deployment.yaml': {
    module: 'kubernetes-models/apps/v1/Deployment',
    type: 'IDeployment',
    validate: (yaml) => new Deployment(parse(yaml)).validate(),
  },
  'service.yaml': {
    module: 'kubernetes-models/v1/Service',
    type: 'IService',
    validate: (yaml) => new Service(parse(yaml)).validate(),
  },
  'hpa.yaml': {
    module: 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler',
    type: 'IHorizontalPodAutoscaler',
    validate: (yaml) => new HorizontalPodAutoscaler(parse(yaml)).validate(),
  },
  'pdb.yaml': {
    module: 'kubernetes-models/policy/v1/PodDisruptionBudget',
    type: 'IPodDisruptionBudget',
    validate: (yaml) => new PodDisruptionBudget(parse(yaml)).validate(),
  },
  'podmonitor.yaml': {
    module: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor',
    // Keys of operator 0.79, which is newer than the package's types.
    type: 'IPodMonitor',
    newer: '{ spec: { scrapeProtocols: string[]; scrapeClassicHistograms: boolean } }',
    validate: (yaml) => new PodMonitor(parse(yaml)).validate(),
  },
};

/** The compiler refuses unknown keys in an object literal at any depth, which the JSON schemas of Kubernetes let pass. */
function compile(manifests: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'manifests-'));
  try {
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    for (const [file, manifest] of Object.entries(manifests)) {
      const { module, type, newer = 'unknown' } = KINDS[file] ?? { module: '', type: '' };
      const source = `import type { ${type} } from '${module}';\nexport const manifest: ${type} & ${newer} = ${JSON.stringify(parse(manifest))};\n`;
      writeFileSync(join(folder, file.replace('.yaml', '.ts')), source);
    }
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    const flags = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--types',
      '',
      '--module',
      'node16',
    ];
    const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));
    return spawnSync(process.execPath, [compiler, ...flags, ...files], { cwd: folder, encoding: 'utf8' })
      .stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('deploy/kubernetes', () => {
  const files = readdirSync(FOLDER).filter((file) => file !== 'kustomization.yaml');

  test('lists every manifest in the kustomization, and each is of a kind that is checked here', () => {
    expect(parse(text('kustomization.yaml'))).toMatchObject({ resources: expect.arrayContaining(files) });
    expect(Object.keys(KINDS).toSorted()).toEqual(files.toSorted());
  });

  test.each(files)('%s has the values that its schema wants', (file) => {
    expect(() => KINDS[file]?.validate(text(file))).not.toThrow();
  });

  test('has no key that its kind does not know', () => {
    expect(compile(Object.fromEntries(files.map((file) => [file, text(file)])))).toBe('');
  });

  test('scrapes under the job name that the rules look for', () => {
    const prometheus = join(ROOT, 'deploy/prometheus/prometheus.yml');
    const { scrape_configs: configs } = parse(readFileSync(prometheus, 'utf8'));
    const [{ relabelings }] = parse(text('podmonitor.yaml')).spec.podMetricsEndpoints;
    expect(relabelings).toEqual([{ targetLabel: 'job', replacement: configs[0].job_name }]);
  });

  test('asks for the formats that prometheus-3.yml asks for', () => {
    const prometheus = parse(readFileSync(join(ROOT, 'deploy/prometheus/prometheus-3.yml'), 'utf8'));
    const { scrapeProtocols, scrapeClassicHistograms } = parse(text('podmonitor.yaml')).spec;
    expect(scrapeProtocols).toEqual(prometheus.global.scrape_protocols);
    const [{ always_scrape_classic_histograms: classic }] = prometheus.scrape_configs;
    expect(scrapeClassicHistograms).toBe(classic);
  });

  describe('the Deployment', () => {
    const deployment = new Deployment(parse(text('deployment.yaml')));
    const pod = deployment.spec?.template.spec;
    const container = pod?.containers[0];
    const env = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));

    test('sets variables that the service understands', () => {
      expect(readConfig({ ...env, WEB_CONCURRENCY: '2' })).toMatchObject({
        metricsPort: container?.ports?.find(({ name }) => name === 'metrics')?.containerPort,
        port: container?.ports?.find(({ name }) => name === 'http')?.containerPort,
      });
    });

    test('kills a pod only after preStop and the whole shutdown have had their time', () => {
      const config = readConfig({ ...env });
      const preStop = container?.lifecycle?.preStop?.sleep?.seconds ?? NaN;
      const readiness = container?.readinessProbe;
      expect(pod?.terminationGracePeriodSeconds).toBeGreaterThan(preStop + config.shutdownTimeoutMs / 1000);
      const noticed = (readiness?.periodSeconds ?? NaN) * (readiness?.failureThreshold ?? NaN);
      expect(config.shutdownDelayMs / 1000).toBeGreaterThan(noticed);
    });

    test('starts and restarts a pod by whether it lives, and sends it traffic by whether it is ready', () => {
      const { startupProbe, livenessProbe, readinessProbe } = container ?? {};
      for (const probe of [startupProbe, livenessProbe])
        expect(probe?.httpGet).toEqual({ path: '/livez', port: 'http' });
      expect(readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'http' });
    });

    test('keeps the Pod Security Standard "restricted", and writes only to the folders that the service needs', () => {
      expect(pod?.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(container?.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      const volumes = pod?.volumes ?? [];
      const mounts = (container?.volumeMounts ?? []).map(({ mountPath, name }) => [
        mountPath,
        volumes.find((volume) => volume.name === name)?.emptyDir?.medium,
      ]);
      expect(mounts).toEqual([
        ['/dev/shm', 'Memory'],
        ['/tmp', undefined],
      ]);
    });

    test('has a limit of whole cores, one for each worker, and of memory', () => {
      const { limits, requests } = container?.resources ?? {};
      const workers = container?.env?.find(({ name }) => name === 'WEB_CONCURRENCY')?.valueFrom;
      expect(workers).toEqual({ resourceFieldRef: { resource: 'limits.cpu' } });
      expect(limits).toEqual({
        cpu: expect.stringMatching(/^\d+$/),
        memory: expect.stringMatching(/^\d+Mi$/),
      });
      expect(Number(requests?.['cpu'])).toBeLessThanOrEqual(Number(limits?.['cpu']));
    });

    test('is what the autoscaler scales, and its ports are those that are served and scraped', () => {
      expect(parse(text('hpa.yaml')).spec.scaleTargetRef).toEqual({
        apiVersion: deployment.apiVersion,
        kind: deployment.kind,
        name: deployment.metadata?.name,
      });
      const ports = container?.ports?.map(({ name }) => name);
      const [{ targetPort }] = parse(text('service.yaml')).spec.ports;
      const [{ port }] = parse(text('podmonitor.yaml')).spec.podMetricsEndpoints;
      expect(ports).toEqual([targetPort, port]);
    });

    test('is selected by the Service, the PodMonitor, the budget and itself, by the labels of its pods', () => {
      const labels = deployment.spec?.template.metadata?.labels;
      expect(labels).toBeDefined();
      expect(deployment.spec?.selector.matchLabels).toEqual(labels);
      expect(parse(text('service.yaml'))).toMatchObject({ spec: { selector: labels } });
      expect(parse(text('pdb.yaml'))).toMatchObject({ spec: { selector: { matchLabels: labels } } });
      expect(parse(text('podmonitor.yaml'))).toMatchObject({ spec: { selector: { matchLabels: labels } } });
    });
  });
});

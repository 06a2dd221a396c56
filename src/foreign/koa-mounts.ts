const MOUNT_PATH = Symbol('the value of mountPath');
const ROUTER = Symbol('the value of router');
const MOUNTS = Symbol('the mounts that a request has entered, those that it has left included');
const REACHED = Symbol('the routers that a request has reached in a mount');

interface Mount {
  /** The prefixes of this mount and of those around it. */
  readonly prefix: string;
  /** The path of the request within the mount. */
  readonly path: string;
}

/** The part of @koa/router that is used. */
interface Router {
  readonly stack?: readonly unknown[];
}

interface NotingContext {
  readonly path: string;
  [MOUNT_PATH]?: unknown;
  [ROUTER]?: Router;
  [MOUNTS]?: Mount[];
  [REACHED]?: { readonly router: Router; readonly prefix: string }[];
}

/**
 * The fields that koa-mount sets before it shortens the path, and each @koa/router when it has matched the
 * path.
 */
const FIELDS: PropertyDescriptorMap & ThisType<NotingContext> = {
  mountPath: {
    configurable: true,
    get() {
      return this[MOUNT_PATH];
    },
    set(given: unknown) {
      this[MOUNT_PATH] = given;
      if (typeof given !== 'string') return;
      const mount = { prefix: prefixOf(this) + given, path: this.path.slice(given.length) || '/' };
      (this[MOUNTS] ??= []).push(mount);
    },
  },
  router: {
    configurable: true,
    get() {
      return this[ROUTER];
    },
    set(router: Router) {
      this[ROUTER] = router;
      const prefix = prefixOf(this);
      if (prefix !== '') (this[REACHED] ??= []).push({ router, prefix });
    },
  },
};

/**
 * Makes the contexts of a Koa app note by which mount each router was reached. When the answer is ready
 * koa-mount has put the path back.
 * @param contexts the prototype of the contexts (`app.context`)
 */
export function noteMounts(contexts: object): void {
  // An app that has such fields of its own keeps them.
  if (!('mountPath' in contexts) && !('router' in contexts)) Object.defineProperties(contexts, FIELDS);
}

/** Returns the prefix of the mount in which the router of this layer was reached; empty if it was in none. */
export function mountOf(context: object, layer: unknown): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nobody else has this symbol
  const reached = REACHED in context ? (context as NotingContext)[REACHED] : undefined;
  return reached?.findLast(({ router }) => router.stack?.includes(layer))?.prefix ?? '';
}

/** Returns the prefix of the mount in which a request is now. A mount that was left has another path. */
function prefixOf(context: NotingContext): string {
  return context[MOUNTS]?.findLast(({ path }) => path === context.path)?.prefix ?? '';
}

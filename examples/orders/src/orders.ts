import { Pool } from 'pg';

export interface Line {
  readonly article: string;
  readonly quantity: number;
  readonly cents: number;
}

export type OrderState = 'placed' | 'paid' | 'shipped' | 'cancelled';

export interface Order {
  readonly id: number;
  readonly state: OrderState;
  readonly lines: Line[];
  readonly note?: string;
  readonly cents: number;
  readonly placed: string;
}

/** An order, and the tag that changes with every change to it. */
export interface TaggedOrder {
  readonly order: Order;
  readonly etag: string;
}

interface Row {
  readonly id: string;
  readonly state: OrderState;
  readonly lines: Line[];
  readonly note: string | null;
  readonly cents: string;
  readonly placed: Date;
  readonly version: number;
}

const COLUMNS = 'id, state, lines, note, cents, placed, version';
/** Any number, the same in all workers: they start at the same time, and two of them cannot create one table. */
const MIGRATION_LOCK = 4_711;
const MIGRATION = `
  select pg_advisory_xact_lock(${MIGRATION_LOCK});
  create table if not exists orders (
    id bigint generated always as identity primary key,
    shop text not null,
    state text not null default 'placed',
    lines jsonb not null,
    note text,
    cents bigint not null,
    placed timestamptz not null default now(),
    version integer not null default 1,
    invoice_number text,
    invoice bytea
  );
  create index if not exists orders_of_a_shop on orders (shop, id desc);
`;

/** The orders in PostgreSQL. Each belongs to a shop, and nobody sees those of another. */
export class Orders {
  readonly #pool: Pool;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Connects to the database and creates the tables that are not there. Rejects where it is not to be reached. */
  static async open(url: string): Promise<Orders> {
    const pool = new Pool({ connectionString: url, max: 5, connectionTimeoutMillis: 2_000 });
    // Without this a database that restarts would end the process: nobody else listens to an idle connection.
    pool.on('error', () => {});
    // Several statements in one query are one transaction.
    await pool.query(MIGRATION);
    return new Orders(pool);
  }

  async check(): Promise<void> {
    await this.#pool.query('select 1');
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async create(shop: string, lines: readonly Line[], note: string | undefined): Promise<TaggedOrder> {
    const cents = lines.reduce((sum, line) => sum + line.quantity * line.cents, 0);
    const [row] = await this.#rows(
      `insert into orders (shop, lines, note, cents) values ($1, $2, $3, $4) returning ${COLUMNS}`,
      [shop, JSON.stringify(lines), note ?? null, cents],
    );
    if (!row) throw new Error('The database has returned no order');
    return row;
  }

  async find(shop: string, id: number): Promise<TaggedOrder | undefined> {
    const [row] = await this.#rows(`select ${COLUMNS} from orders where shop = $1 and id = $2`, [shop, id]);
    return row;
  }

  /** The newest first, those that are older than `after`. */
  async list(shop: string, limit: number, after: number | undefined): Promise<Order[]> {
    const rows = await this.#rows(
      `select ${COLUMNS} from orders where shop = $1 and ($2::bigint is null or id < $2) order by id desc limit $3`,
      [shop, after ?? null, limit],
    );
    return rows.map(({ order }) => order);
  }

  /** `undefined` where the order is not, or no longer, the one with this tag. */
  async change(shop: string, id: number, etag: string, state: OrderState): Promise<TaggedOrder | undefined> {
    const [row] = await this.#rows(
      `update orders set state = $4, version = version + 1
       where shop = $1 and id = $2 and '"' || id || '-' || version || '"' = $3 returning ${COLUMNS}`,
      [shop, id, etag, state],
    );
    return row;
  }

  /** Stores an invoice. Returns whether there is such an order. */
  async keepInvoice(shop: string, id: number, number: string, file: Buffer): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      'update orders set invoice_number = $3, invoice = $4 where shop = $1 and id = $2',
      [shop, id, number, file],
    );
    return rowCount === 1;
  }

  async invoice(shop: string, id: number): Promise<{ number: string; file: Buffer } | undefined> {
    const { rows } = await this.#pool.query<{ number: string; file: Buffer }>(
      `select invoice_number as number, invoice as file from orders
       where shop = $1 and id = $2 and invoice is not null`,
      [shop, id],
    );
    return rows[0];
  }

  async #rows(query: string, values: readonly unknown[]): Promise<TaggedOrder[]> {
    const { rows } = await this.#pool.query<Row>(query, [...values]);
    return rows.map(orderOf);
  }
}

/** PostgreSQL's bigint comes as text: it may be larger than a number of JavaScript. */
function orderOf({ id, state, lines, note, cents, placed, version }: Row): TaggedOrder {
  const order = {
    id: Number(id),
    state,
    lines,
    ...(note !== null && { note }),
    cents: Number(cents),
    placed: placed.toISOString(),
  };
  return { order, etag: `"${id}-${version}"` };
}

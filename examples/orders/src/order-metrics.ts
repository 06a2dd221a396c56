import { Counter, Histogram } from 'prom-client';

/** Counts the orders. The metric is on `/metrics` beside the service's own, added up over all workers. */
export const ordersPlaced = new Counter({ name: 'orders_placed_total', help: 'Orders placed.' });

export const orderValue = new Histogram({
  name: 'orders_value_euros',
  help: 'What an order is worth.',
  buckets: [1, 10, 100, 1_000, 10_000],
});

// Says all that is wrong with an API description or not supported, and what may not be meant: npm run check [FILE].
import { loadOpenapi, report } from './openapi.mjs';

try {
  const { checkDescription, descriptionFile } = loadOpenapi();
  const [file = descriptionFile()] = process.argv.slice(2);
  const checked = checkDescription(file);
  report(checked, { withWarnings: true });
  console.log(`${file}: ${checked.operations.length} operations, all of them can be served.`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

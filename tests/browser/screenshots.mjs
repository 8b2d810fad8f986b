// Writes a picture of every page into the folder SCREENSHOTS, wide and narrow, light and dark, for people to look at.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { launch, visitor } from "./browser.mjs";
import { everyPage, furnish } from "./house.mjs";
import { start } from "./server.mjs";

const folder = process.env.SCREENSHOTS;
if (!folder) throw new Error("set SCREENSHOTS to a folder");
mkdirSync(folder, { recursive: true });

const browser = await launch();
const server = await start();
try {
  const first = await visitor(browser, server.url);
  await first.page.goto("/login");
  await first.page.screenshot({ path: join(folder, "login.png"), fullPage: true });
  const pages = everyPage(await furnish(first.page, server));
  const state = await first.context.storageState();
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      const { context, page } = await visitor(browser, server.url, { colorScheme, viewport: { width, height: 900 }, storageState: state });
      for (const [name, address] of Object.entries(pages)) {
        await page.goto(address);
        await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true });
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
  await server.stop();
}

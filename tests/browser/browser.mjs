// Debian's Chromium, and what a person does in it: look for words and click them.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { ADMIN } from "./server.mjs";

export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) throw new Error(`no Chromium at ${executablePath}; set CHROMIUM`);
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** A visitor with a browser of his own. Errors of the page and blocked content count as failures of the test. */
export async function visitor(browser, url, options = {}) {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true, baseURL: url, timezoneId: "Europe/Helsinki", locale: "en-GB", ...options,
  });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    const isPolicy = /Content Security Policy/i.test(message.text());
    if (isPolicy) wrong.push(message.text());
  });
  return { context, page, wrong };
}

export async function logIn(page) {
  await page.goto("/login");
  await page.getByLabel("Name", { exact: true }).fill(ADMIN.name);
  await page.getByLabel("Password", { exact: true }).fill(ADMIN.password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
}

/** The section under a heading, as the step lists name them. */
export function section(page, name) {
  return page.locator("section").filter({ has: page.getByRole("heading", { name, exact: true }) });
}

/** Whether the page is wider than the window: only tables and plots may scroll sideways. */
export function isTooWide(page) {
  return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}

// Sends a text with fetch (Node 18 or newer): XINSHI_URL, XINSHI_KEY; then number, text, key.
// What brought no answer, 429 and 503 are repeated; with the same key it stays one message.
const [to, text, key] = process.argv.slice(2);
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

async function send() {
  let problem;
  for (let attempt = 0; attempt < 6; attempt++) {
    let wait = 0.5 * 2 ** attempt;
    try {
      const answer = await fetch(`${process.env.XINSHI_URL}/v1/messages`, {
        method: "POST",
        headers: {
          Authorization: `Bearer ${process.env.XINSHI_KEY}`,
          "Content-Type": "application/json",
          "Idempotency-Key": key,
        },
        body: JSON.stringify({ to, text }),
        signal: AbortSignal.timeout(10_000),
      });
      const said = await answer.json();
      if (answer.status === 202) return said.ids;
      problem = `${said.detail}: ${JSON.stringify(said.errors)}`;
      if (![429, 503].includes(answer.status)) break;
      wait = Number(answer.headers.get("retry-after") ?? wait);
    } catch (error) {
      problem = error.name;
    }
    await sleep(Math.min(wait, 30));
  }
  throw new Error(problem);
}

send().then(
  (ids) => console.log(ids.join(" ")),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);

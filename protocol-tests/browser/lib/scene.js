// A conversation to look at: three people, all the usual kinds of messages.

/** Has three people talk; answers the tab from which to look, and the texts. */
export async function playScene(newPerson, options) {
  const [first, second, me] = [await (await newPerson()).open(), await (await newPerson()).open(), await (await newPerson(options)).open()];
  const lines = [
    [first, "Good morning! The new greenhouse is open, and the tomatoes are already taller than the door."],
    [me, "Good morning. I will bring the long ladder then."],
    [second, "Before you all come, here is the plan for today:\n1. water the seedlings\n2. move the bench out of the shade\n3. tea at four, whatever happens"],
    [first, "My train goes through seven tunnels. If I fall silent, I am still writing."],
    [second, "Everything you write arrives. Once, and in order."],
    [first, "Tunnel number one was short. Number two was not."],
    [first, "I wrote both of these in the dark."],
    [me, "They came in right behind each other, as if nothing had happened."],
    [second, "Who has the key to the shed?"],
    [me, "It hangs behind the blue watering can."],
  ];
  const texts = [];
  for (const [tab, text] of lines) {
    await tab.write(text);
    texts.push(text);
    for (const everybody of [first, second, me]) await everybody.shows(texts);
  }
  return { me, first, second, texts };
}

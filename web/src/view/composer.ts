// The input: what Enter does, how long a message may be, and what is said when it cannot be sent.
import { allowance, problem, tidy } from "../text";
import { byId, setText } from "./dom";

export class Composer {
  readonly #input = byId<HTMLTextAreaElement>("input");
  readonly #allowance = byId("allowance");
  readonly #send: (content: string) => Promise<void>;

  /** `send` resolves when the message is kept, or rejects with the sentence to show. */
  constructor(send: (content: string) => Promise<void>) {
    this.#send = send;
    byId<HTMLFormElement>("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#input.addEventListener("keydown", (event) => {
      // The Enter that ends a composition belongs to the input method; 229 is how some browsers say so.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      void this.#submit();
    });
    this.#input.addEventListener("input", () => {
      this.#say("");
      this.#measure();
    });
    this.#measure();
  }

  async #submit(): Promise<void> {
    const typed = this.#input.value;
    const content = tidy(typed);
    const trouble = problem(content);
    this.#say(trouble ?? "");
    this.#input.focus();
    if (trouble) return;
    this.#input.value = "";
    this.#measure();
    try {
      await this.#send(content);
    } catch (error) {
      // Nothing typed is ever lost: it goes back in front of what was typed meanwhile.
      const since = this.#input.value;
      this.#input.value = since ? `${typed}\n${since}` : typed;
      this.#measure();
      this.#say(error instanceof Error ? error.message : String(error));
    }
  }

  #say(words: string): void {
    setText(byId("feedback"), words);
    this.#input.setAttribute("aria-invalid", String(words !== ""));
  }

  #measure(): void {
    const left = allowance(this.#input.value);
    setText(this.#allowance, left);
    this.#allowance.classList.toggle("over", left.endsWith("too long"));
    if (CSS.supports("field-sizing", "content")) return;
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}

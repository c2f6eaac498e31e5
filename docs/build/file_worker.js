// A browser refuses workers to a page that is opened as a file. There the search runs in a hidden frame in place of one.
if (location.protocol === "file:")
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inside = frame.contentWindow;
      window.addEventListener("message", (event) => {
        if (event.source !== this.inside) return;
        const message = new MessageEvent("message", { data: event.data });
        this.dispatchEvent(message);
        if (this.onmessage) this.onmessage(message);
      });
      const page = frame.contentDocument;
      page.open();
      page.write("<script>postMessage = (data) => parent.postMessage(data, '*')</" + "script>");
      page.write(`<script src="${url}"></` + "script>");
      page.close();
      this.ready = new Promise((done) => this.inside.addEventListener("load", done));
    }
    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })));
    }
  };

"""A WebKitGTK browser that is driven by lines of JSON.

Standard input has requests, `{"id": 1, "call": "newTab", ...}`, and standard output has answers,
`{"id": 1, "value": ...}` or `{"id": 1, "error": "..."}`, and events, `{"event": "crash", "tab": 1}`.

WebKitWebDriver cannot keep a profile on disk or end a page's process, which the tests need.
"""

import argparse
import json
import sys
import threading

import gi

gi.require_version('Gtk', '3.0')
gi.require_version('WebKit2', '4.1')
from gi.repository import GLib, Gtk, WebKit2  # noqa: E402

# Off by default in WebKitGTK, and on in Safari.
FEATURES = ('StorageAPI', 'StorageAPIEstimate')

# What a page calls to tell the host something: the bindings of the tests, errors and the console.
CHANNEL = 'tablogHost'

LISTENER = f"""(() => {{
  const tell = (event) => webkit.messageHandlers.{CHANNEL}.postMessage(JSON.stringify(event));
  globalThis.__tellHost = tell;
  addEventListener('error', ({{ message }}) => tell({{ event: 'pageerror', text: message }}));
  addEventListener('unhandledrejection', ({{ reason }}) => {{
    tell({{ event: 'pageerror', text: String(reason) }});
  }});
  for (const type of ['log', 'info', 'warn', 'error']) {{
    const print = console[type];
    console[type] = (...args) => {{
      tell({{ event: 'console', type: type === 'warn' ? 'warning' : type, text: args.join(' ') }});
      print.apply(console, args);
    }};
  }}
}})();"""

writing = threading.Lock()


def write(message):
    with writing:
        sys.stdout.write(json.dumps(message) + '\n')
        sys.stdout.flush()


class Host:
    def __init__(self, profile, quota_ratio):
        self.profile = profile
        self.quota_ratio = quota_ratio
        self.contexts = {}
        self.tabs = {}
        self.last_id = 0

    def next_id(self):
        self.last_id += 1
        return self.last_id

    def new_context(self, reply, ephemeral):
        """A context has cookies, databases and init scripts of its own."""
        ratios = {}
        if self.quota_ratio is not None:
            ratios['origin_storage_ratio'] = self.quota_ratio
            ratios['total_storage_ratio'] = min(1.0, 2 * self.quota_ratio)
        if ephemeral:
            data = WebKit2.WebsiteDataManager(is_ephemeral=True)
        else:
            data = WebKit2.WebsiteDataManager(
                base_data_directory=self.profile + '/data',
                base_cache_directory=self.profile + '/cache',
                **ratios,
            )
        context = WebKit2.WebContext(website_data_manager=data)
        context.set_cache_model(WebKit2.CacheModel.WEB_BROWSER)
        number = self.next_id()
        self.contexts[number] = {'context': context, 'scripts': [], 'tabs': []}
        reply(number)

    def close_context(self, reply, context):
        for tab in list(self.contexts[context]['tabs']):
            self.remove(tab)
        del self.contexts[context]
        reply(True)

    def add_init_script(self, reply, source, context=None, tab=None):
        """Runs in every document of the tab, or of the context's tabs that open from now on."""
        if tab is None:
            self.contexts[context]['scripts'].append(source)
            for each in self.contexts[context]['tabs']:
                self.run_first(self.tabs[each]['view'], source)
        else:
            self.run_first(self.tabs[tab]['view'], source)
        reply(True)

    def run_first(self, view, source):
        view.get_user_content_manager().add_script(
            WebKit2.UserScript.new(
                source,
                WebKit2.UserContentInjectedFrames.ALL_FRAMES,
                WebKit2.UserScriptInjectionTime.START,
                None,
                None,
            )
        )

    def new_tab(self, reply, context):
        settings = WebKit2.Settings()
        settings.set_enable_page_cache(True)
        settings.set_javascript_can_open_windows_automatically(True)
        settings.set_hardware_acceleration_policy(WebKit2.HardwareAccelerationPolicy.NEVER)
        features = WebKit2.Settings.get_all_features()
        for index in range(features.get_length()):
            feature = features.get(index)
            if feature.get_identifier() in FEATURES:
                settings.set_feature_enabled(feature, True)
        content = WebKit2.UserContentManager()
        content.register_script_message_handler(CHANNEL)
        view = WebKit2.WebView(
            web_context=self.contexts[context]['context'], user_content_manager=content
        )
        view.set_settings(settings)
        window = Gtk.Window()
        window.set_default_size(1280, 900)
        window.add(view)
        window.show_all()
        number = self.next_id()
        self.tabs[number] = {'view': view, 'window': window, 'context': context}
        self.contexts[context]['tabs'].append(number)
        content.connect(
            'script-message-received::' + CHANNEL,
            lambda _, result: self.hear(number, result.get_js_value().to_string()),
        )
        view.connect(
            'web-process-terminated',
            lambda _, reason: write({'event': 'crash', 'tab': number, 'reason': int(reason)}),
        )
        for source in [LISTENER, *self.contexts[context]['scripts']]:
            self.run_first(view, source)
        reply(number)

    def hear(self, tab, text):
        write({'tab': tab, **json.loads(text)})

    def evaluate(self, reply, tab, body):
        def done(view, result):
            try:
                value = view.call_async_javascript_function_finish(result)
                reply(value.to_string())
            except GLib.Error as error:
                reply(error=error.message)

        view = self.tabs[tab]['view']
        view.call_async_javascript_function(body, -1, None, None, None, None, done)

    def load(self, reply, tab, how, url=None):
        """Replies when the document has loaded: `how` is 'goto', 'reload' or 'back'."""
        view = self.tabs[tab]['view']
        handlers = []

        def settle(value=None, error=None):
            for handler in handlers:
                view.disconnect(handler)
            handlers.clear()
            reply(value, error=error)

        def changed(_, event):
            if event == WebKit2.LoadEvent.FINISHED and handlers:
                settle(view.get_uri())

        def failed(_view, _event, uri, error):
            if handlers:
                settle(error=f'{uri}: {error.message}')
            return False

        handlers.append(view.connect('load-changed', changed))
        handlers.append(view.connect('load-failed', failed))
        if how == 'goto':
            view.load_uri(url)
        elif how == 'reload':
            view.reload()
        elif view.can_go_back():
            view.go_back()
        else:
            settle(error='there is no page to go back to')

    def close_tab(self, reply, tab):
        """Closes the tab as a user does: the page is told by `pagehide`."""
        view = self.tabs[tab]['view']

        def closed(_):
            self.remove(tab)
            reply(True)

        view.connect('close', closed)
        view.try_close()

    def remove(self, number):
        tab = self.tabs.pop(number)
        self.contexts[tab['context']]['tabs'].remove(number)
        tab['window'].destroy()

    def crash(self, reply, tab):
        self.tabs[tab]['view'].terminate_web_process()
        reply(True)

    def clear_data(self, reply, context):
        """Clears the databases of every origin, as the browser's own settings do."""
        data = self.contexts[context]['context'].get_website_data_manager()

        def done(manager, result):
            reply(manager.clear_finish(result))

        data.clear(WebKit2.WebsiteDataTypes.INDEXEDDB_DATABASES, 0, None, done)

    def quit(self, reply):
        reply(True)
        Gtk.main_quit()


CALLS = {
    'newContext': Host.new_context,
    'closeContext': Host.close_context,
    'addInitScript': Host.add_init_script,
    'newTab': Host.new_tab,
    'evaluate': Host.evaluate,
    'load': Host.load,
    'closeTab': Host.close_tab,
    'crash': Host.crash,
    'clearData': Host.clear_data,
    'quit': Host.quit,
}


def answer(host, request):
    number = request.pop('id')
    call = CALLS[request.pop('call')]

    def reply(value=None, error=None):
        write({'id': number, 'value': value} if error is None else {'id': number, 'error': error})

    try:
        call(host, reply, **request)
    except Exception as error:  # the caller gets it
        reply(error=repr(error))
    return False


def read(host):
    for line in sys.stdin:
        GLib.idle_add(answer, host, json.loads(line))
    GLib.idle_add(Gtk.main_quit)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--profile')
    parser.add_argument('--quota-ratio', type=float)
    args = parser.parse_args()
    host = Host(args.profile, args.quota_ratio)
    threading.Thread(target=read, args=(host,), daemon=True).start()
    version = (
        WebKit2.get_major_version(),
        WebKit2.get_minor_version(),
        WebKit2.get_micro_version(),
    )
    write({'event': 'ready', 'version': '.'.join(str(part) for part in version)})
    Gtk.main()


main()

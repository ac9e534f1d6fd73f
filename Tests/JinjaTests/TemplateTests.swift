import Basics
import Foundation
import Jinja
import Testing

/// Chat templates and single constructs against Python's jinja2 (`Scripts/reference/make_jinja_fixtures.py`).
@Suite struct TemplateTests {
    static let fixture: JSON = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().path
        return (try? JSON.read(Paths.join(folder, "Fixtures/templates.json"))) ?? .null
    }()

    static func context(_ name: String) -> [String: JSON] {
        var result: [String: JSON] = [:]
        for (key, value) in fixture["contexts"]?[name]?.object ?? JSONObject() { result[key] = value }
        return result
    }

    /// Compares a rendering, or a refusal, with jinja2's.
    static func check(_ source: String, _ context: [String: JSON], _ expected: JSON, _ label: String) throws {
        let time = try #require(fixture["time"]?.int)
        do {
            let rendering = try Template(source, name: label).render(context, time: time)
            #expect(rendering.text == expected["text"]?.string, "\(label)")
            let ranges = rendering.generations.map { JSON.array([.int($0.lowerBound), .int($0.upperBound)]) }
            #expect(.array(ranges) == expected["generations"], "\(label)")
        } catch {
            #expect(expected["text"] == nil, "\(label): \(error)")
        }
    }

    @Test func fixturesAreThere() {
        #expect((Self.fixture["templates"]?.object?.count ?? 0) >= 20)
        #expect((Self.fixture["cases"]?.array?.count ?? 0) >= 100)
    }

    @Test(arguments: (fixture["templates"]?.object ?? JSONObject()).keys)
    func publishedFormatsRenderAsInJinja2(name: String) throws {
        let source = try #require(Self.fixture["templates"]?[name]?.string)
        for entry in Self.fixture["cases"]?.array ?? [] where entry["template"]?.string == name {
            let key = entry["context"]?.string ?? ""
            try Self.check(source, Self.context(key), entry, "\(name)/\(key)")
        }
    }

    @Test(arguments: (fixture["syntax"]?.array ?? []).indices)
    func constructsRenderAsInJinja2(index: Int) throws {
        let entry = try #require(Self.fixture["syntax"]?[index])
        let source = try #require(entry["source"]?.string)
        try Self.check(source, Self.context("talk"), entry, source)
    }

    @Test(arguments: [
        ("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "does not come to an end"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested too deeply"),
        ("{{ 'x' * 1000000000 }}", "grows beyond"),
        ("{{ range(10000) | join('x' * 1000000) }}", "grows beyond"),
        (
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "grows beyond"
        ),
        ("{{ range(10000000) }}", "a range of more than"),
        ("{{ ('x' * 1000000).join(range(10000)) }}", "grows beyond"),
        ("{% set s = 'x' * 10000000 %}{{ [s, s] }}", "grows beyond"),
        ("{% set s = 'x' * 10000000 %}{{ [s, s] | tojson }}", "grows beyond"),
        (
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}",
            "does not come to an end"
        ),
        (
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = {1: ns.s, 2: ns.s} %}{% endfor %}",
            "does not come to an end"
        ),
        (
            "{% set ns = namespace(s='x') %}{% for i in range(90000) %}{% set ns.s = [ns.s] %}{% endfor %}",
            "nested too deeply"
        ),
        (
            "{% set ns = namespace(s='x') %}{% for i in range(90000) %}{% set ns.s = dict(a=ns.s) %}{% endfor %}",
            "nested too deeply"
        ),
        (
            "{% set ns = namespace() %}{% for i in range(90000) %}{% set n = namespace() %}{% set n.a = ns.a %}"
                + "{% set ns.a = n %}{% endfor %}",
            "nested too deeply"
        ),
        (
            "{% set ns = namespace(s=1) %}{% macro f() %}{% set ns.s = varargs %}{% endmacro %}"
                + "{% for i in range(90000) %}{{ f(ns.s) }}{% endfor %}",
            "nested too deeply"
        ),
        ("{{ 9999999999 * 9999999999 }}", "an integer is too large"),
        ("{% macro f(x=f()) %}{% endmacro %}{{ f() }}", "nested too deeply"),
        ("{% macro f(x=g()) %}{% endmacro %}{% macro g() %}{{ [f()] }}{% endmacro %}{{ f() }}", "nested too deeply"),
        (
            "{% macro f() %}{{ " + String(repeating: "(", count: 25) + "f()" + String(repeating: "~1", count: 400)
                + String(repeating: ")", count: 25) + " }}{% endmacro %}{{ f() }}", "nested too deeply"
        ),
        (
            "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{% call f() %}x{% endcall %}",
            "nested too deeply"
        ),
        ("{{ 'x' | map('map'" + String(repeating: ", 'map'", count: 30_000) + ") }}", "nested too deeply"),
        (
            "{% set ns = namespace(s=[]) %}{% for i in range(90000) %}{% set ns.s = [ns.s.count] %}{% endfor %}",
            "nested too deeply"
        ),
    ])
    func greedyTemplatesAreStopped(source: String, reason: String) throws {
        let template = try Template(source)
        #expect {
            _ = try template.render([:])
        } throws: { error in
            "\(error)".contains(reason)
        }
    }

    @Test func deepNestingIsRefused() throws {
        let open = String(repeating: "(", count: 5000)
        #expect(throws: JinjaError.self) { _ = try Template("{{ \(open) }}") }
        let blocks = String(repeating: "{% if x %}", count: 5000)
        #expect(throws: JinjaError.self) { _ = try Template(blocks) }
        #expect(throws: JinjaError.self) { _ = try Template("{{ " + String(repeating: "-", count: 5000) + "1 }}") }
    }

    @Test(arguments: ["|trim", "~x", ".a", "[0]", "()", " is string", " and x", " or x", " if x", "**1", "*1", "-1"])
    func longChainsAreRefused(link: String) throws {
        #expect(throws: JinjaError.self) { _ = try Template("{{ x" + String(repeating: link, count: 100_000) + " }}") }
        _ = try Template("{{ x" + String(repeating: link, count: 500) + " }}").names
    }

    @Test func chainedComparisonsTakeEachValueOnce() throws {
        let once = "{% set ns = namespace(n=0) %}{% macro f() %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{% endmacro %}"
        #expect(try Template(once + "{{ '0' < f() < '2' }} {{ ns.n }}").render([:]).text == "True 1")
        #expect(try Template("{{ 1 < 2 > 1 != 3 not in [1] }} {{ 2 < 1 < x.y.z }}").render([:]).text == "True False")
        let nested = String(repeating: "x < (", count: 28) + "x" + String(repeating: ") < x", count: 28)
        #expect(try Template("{{ \(nested) }}").names == ["x"])
    }

    @Test("what a template with macros was given is freed", .enabled(if: Files.exists("/proc/self/statm")))
    func macrosAreFreed() throws {
        let template = try Template("{% macro f(m) %}{{ m is string }}{% endmacro %}{{ f(text) }}")
        func pages() throws -> Int {
            try #require(Int(try Files.readText("/proc/self/statm").split(separator: " ")[1]))
        }
        var grown = Int.max
        // 1.5 GiB are given each time; other tests run beside this one, and may take a block of their own once.
        for _ in 0..<5 where grown >= (1 << 30) / 4096 {
            let before = try pages()
            for number in 0..<96 {
                let text = String(decoding: [UInt8](repeating: 65 + UInt8(number % 9), count: 16 << 20), as: UTF8.self)
                #expect(try template.render(["text": .string(text)]).text == "True")
            }
            grown = try pages() - before
        }
        #expect(grown < (1 << 30) / 4096)
    }

    @Test func errorsNameTheLine() throws {
        let template = try Template("a\nb\n{{ x.y }}", name: "chat_template.jinja")
        #expect {
            _ = try template.render([:])
        } throws: { error in
            (error as? JinjaError)?.problem == "chat_template.jinja:3: undefined \"x\" has no attribute \"y\""
        }
        #expect {
            _ = try Template("\n{% frob %}")
        } throws: { error in
            (error as? JinjaError)?.line == 2
        }
    }

    @Test func raisedRefusalsAreTold() throws {
        #expect {
            _ = try Template("{{ raise_exception('Roles must alternate') }}").render([:])
        } throws: { error in
            (error as? JinjaError)?.isRaised == true && "\(error)".contains("Roles must alternate")
        }
    }
}

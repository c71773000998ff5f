//! Selection of flows, by the table of `data-plane.md` section 4.3 and its acceptance cases.

use http::{HeaderMap, StatusCode};
use zonegate_definition::{Action, Configuration, PathOperator, Reason, Template};

use super::*;

/// A flow that leaves its name in a header of each phase.
fn flow(index: usize, path: &str, operator: PathOperator, methods: &[&str]) -> Flow {
    let step = |header: &str| zonegate_definition::Step {
        index: 0,
        name: None,
        condition: None,
        action: policy(
            "transform-headers",
            &format!(r#"{{"appendHeaders":[{{"name":"{header}","value":"{path}"}}]}}"#),
        ),
    };
    Flow {
        index,
        id: None,
        name: None,
        selectors: vec![Selector::Http(zonegate_definition::HttpSelector {
            path: path.to_owned(),
            operator,
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        })],
        request: vec![step("ran")],
        response: vec![step("ran-back")],
    }
}

fn policy(id: &str, configuration: &str) -> Action {
    Action::Policy { id: id.into(), configuration: Configuration::new(Some(configuration)) }
}

fn compile(flows: &[Flow], mode: FlowMode, registry: &Registry) -> Result<Level, Refusal> {
    Level::compile(flows, mode, registry, DefinitionVersion::V4, &At::root("flows"))
}

fn run(level: &Level, method: &Method, path_info: &str) -> Vec<String> {
    let mut headers = HeaderMap::new();
    let mut selection = Selection::default();
    level
        .on_request(
            &mut RequestView { method, context_path: "/c/", path_info, headers: &mut headers },
            &mut selection,
        )
        .expect("no step fails");
    let mut back = HeaderMap::new();
    level
        .on_response(
            &mut ResponseView { status: &mut StatusCode::OK.clone(), headers: &mut back },
            &selection,
        )
        .expect("no step fails");
    let names = |headers: &HeaderMap, name: &str| -> Vec<String> {
        headers.get_all(name).iter().map(|value| value.to_str().expect("text").to_owned()).collect()
    };
    assert_eq!(names(&headers, "ran"), names(&back, "ran-back"), "both phases run the same flows");
    names(&headers, "ran")
}

fn level(paths: &[&str], operator: PathOperator, mode: FlowMode) -> Level {
    let flows: Vec<Flow> =
        paths.iter().enumerate().map(|(index, path)| flow(index, path, operator, &[])).collect();
    compile(&flows, mode, &Registry::builtin()).expect("known policies")
}

#[test]
fn all_flows_that_match_run_in_order() {
    let both = level(&["/", "/products"], PathOperator::StartsWith, FlowMode::Default);
    assert_eq!(run(&both, &Method::GET, "/products/id"), ["/", "/products"]);
    assert_eq!(run(&both, &Method::GET, "/random"), ["/"]);
    let exact = level(&["/", "/products"], PathOperator::Equals, FlowMode::Default);
    assert_eq!(run(&exact, &Method::GET, "/products"), ["/products"]);
    assert_eq!(run(&exact, &Method::GET, ""), ["/"]);
    assert!(run(&exact, &Method::GET, "/products/id").is_empty());
}

#[test]
fn a_flow_for_other_methods_does_not_run() {
    let flows = [flow(0, "/", PathOperator::StartsWith, &["GET", "PURGE"])];
    let level = compile(&flows, FlowMode::Default, &Registry::builtin()).expect("known policies");
    assert_eq!(run(&level, &Method::GET, "/x").len(), 1);
    assert_eq!(run(&level, &Method::from_bytes(b"PURGE").expect("a token"), "/x").len(), 1);
    assert!(run(&level, &Method::POST, "/x").is_empty());
}

#[test]
fn the_best_match_is_chosen_by_the_table_of_the_original() {
    let plan = ["/", "/books", "/books/:bookId"];
    let api = [
        "/books",
        "/books/:bookId/chapters/:chapterId",
        "/books/:bookId/chapters/:chapterId/pages/:pageId",
        "/books/9999/chapters",
    ];
    let chosen = |paths: &[&str], operator, path: &str| {
        run(&level(paths, operator, FlowMode::BestMatch), &Method::GET, path).pop().unwrap_or_default()
    };
    let starts = PathOperator::StartsWith;
    for (path, of_plan, of_api) in [
        ("/books", "/books", "/books"),
        ("/books/145/chapters/12", "/books/:bookId", "/books/:bookId/chapters/:chapterId"),
        ("/books/9999/chapters", "/books/:bookId", "/books/9999/chapters"),
        ("/books/9999/chapters/random", "/books/:bookId", "/books/9999/chapters"),
        ("/random", "/", ""),
    ] {
        assert_eq!(chosen(&plan, starts, path), of_plan, "plan, {path}");
        assert_eq!(chosen(&api, starts, path), of_api, "API, {path}");
    }
    let equals = PathOperator::Equals;
    for (path, of_plan, of_api) in [
        ("/books", "/books", "/books"),
        ("/books/145", "/books/:bookId", ""),
        ("/books/145/chapters/12", "", "/books/:bookId/chapters/:chapterId"),
        ("/books/9999/chapters", "", "/books/9999/chapters"),
        ("/books/9999/chapters/random", "", "/books/:bookId/chapters/:chapterId"),
        ("/random", "", ""),
    ] {
        assert_eq!(chosen(&plan, equals, path), of_plan, "plan, {path}");
        assert_eq!(chosen(&api, equals, path), of_api, "API, {path}");
    }
}

#[test]
fn s3_what_cannot_be_run_refuses_the_whole_level_and_says_where() {
    type Case = (Box<dyn Fn(&mut Flow)>, &'static str, &'static str, Reason);
    let good = || flow(3, "/", PathOperator::StartsWith, &[]);
    let cases: [Case; 7] = [
        (
            Box::new(|flow| flow.response[0].action = policy("no-such-policy", "{}")),
            "flows[3].response[0]",
            "flows[3].post[0]",
            Reason::UnknownPolicy("no-such-policy".to_owned()),
        ),
        (
            Box::new(|flow| flow.request[0].action = Action::SharedPolicyGroup { id: "g".into() }),
            "flows[3].request[0]",
            "flows[3].pre[0]",
            Reason::UnknownPolicy("shared-policy-group-policy".to_owned()),
        ),
        (
            Box::new(|flow| flow.request[0].condition = Some(Template::new("{#true}"))),
            "flows[3].request[0].condition",
            "flows[3].pre[0].condition",
            Reason::Condition,
        ),
        (
            Box::new(|flow| flow.selectors.push(Selector::Condition(Template::new("true")))),
            "flows[3].selectors[1].condition",
            "flows[3].condition",
            Reason::Condition,
        ),
        (
            Box::new(|flow| flow.selectors = vec![Selector::Other("mcp".to_owned())]),
            "flows[3].selectors[0]",
            "flows[3]",
            Reason::SelectorType("mcp".to_owned()),
        ),
        (
            Box::new(|flow| {
                flow.selectors = self::flow(0, "/a.*", PathOperator::Equals, &[]).selectors;
            }),
            "flows[3].selectors[0]",
            "flows[3]",
            Reason::FlowPath,
        ),
        (
            Box::new(|flow| flow.request[0].action = policy("transform-headers", "7")),
            "flows[3].request[0]",
            "flows[3].pre[0]",
            Reason::PolicyConfiguration {
                policy: "transform-headers".to_owned(),
                problem: "not the JSON that belongs here, at column 1".to_owned(),
            },
        ),
    ];
    for (break_it, v4, v2, reason) in cases {
        let mut wrong = good();
        break_it(&mut wrong);
        let flows = [good(), wrong];
        for (version, at) in [(DefinitionVersion::V4, v4), (DefinitionVersion::V2, v2)] {
            let refusal =
                Level::compile(&flows, FlowMode::Default, &Registry::builtin(), version, &At::root("flows"))
                    .expect_err("refused");
            assert_eq!((refusal.at.as_str(), &refusal.reason), (at, &reason));
        }
    }
}

#[test]
fn a_failing_step_ends_the_level() {
    #[derive(Debug)]
    struct Fails;
    impl crate::Policy for Fails {
        fn on_request(&self, _: &mut RequestView<'_>) -> Verdict {
            Verdict::Fail(Box::new(Failure::silent(StatusCode::IM_A_TEAPOT, "TEAPOT")))
        }
    }
    let mut registry = Registry::builtin();
    registry.add("fails", |_| Ok(Box::new(Fails)));
    let mut first = flow(0, "/", PathOperator::StartsWith, &[]);
    first.request[0].action = policy("fails", "null");
    let flows = [first, flow(1, "/", PathOperator::StartsWith, &[])];
    let level = compile(&flows, FlowMode::Default, &registry).expect("known policies");
    let mut headers = HeaderMap::new();
    let mut selection = Selection::default();
    let mut view =
        RequestView { method: &Method::GET, context_path: "/", path_info: "", headers: &mut headers };
    let failure = level.on_request(&mut view, &mut selection).expect_err("fails");
    assert_eq!(failure.status, StatusCode::IM_A_TEAPOT);
    assert!(headers.is_empty(), "the flow after it did not run");
}

//! `mapping reference`.

use crate::command_line::run;

#[test]
fn the_whole_page_is_the_one_of_the_mappings() {
    let (code, said, errors) = run(&["mapping", "reference"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert_eq!(said, include_str!("../../../mappings/README.md"));
}

#[test]
fn a_word_gives_what_is_said_of_it_or_where_to_look() {
    let (code, said, errors) = run(&["mapping", "reference", "lookup"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(said.contains("## Functions") && said.contains("'F' | lookup sex"), "{said}");
    let (code, said, errors) = run(&["mapping", "reference", "xylophone"]);
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(errors.contains("sections: Mappings, ") && errors.contains("functions: date, "), "{errors}");
}

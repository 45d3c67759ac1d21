package dev.cria;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import org.junit.jupiter.api.Test;

/** Dependencies of the core module point one way. */
class ArchitectureTest {
  private static final JavaClasses CORE =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("dev.cria");

  @Test
  void onlyTheBindingsLinkNativeCode() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.cria.internal")
        .should()
        .dependOnClassesThat()
        .areAssignableTo(Linker.class)
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(SymbolLookup.class)
        .check(CORE);
  }

  @Test
  void bindingsKnowOnlyTheExceptions() {
    classes()
        .that()
        .resideInAPackage("dev.cria.internal")
        .should()
        .onlyDependOnClassesThat(
            DescribedPredicate.describe(
                "are in the JDK, the bindings, or exceptions",
                c ->
                    !c.getPackageName().startsWith("dev.cria")
                        || c.getPackageName().equals("dev.cria.internal")
                        || c.isEquivalentTo(CriaException.class)
                        || c.isEquivalentTo(NativeException.class)
                        || c.isEquivalentTo(Status.class)))
        .check(CORE);
  }

  @Test
  void tensorsKnowNothingAbove() {
    noClasses()
        .that()
        .resideInAPackage("dev.cria")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "dev.cria.autograd", "dev.cria.nn", "dev.cria.optim", "dev.cria.safetensors")
        .check(CORE);
  }

  @Test
  void layersDoNotKnowAutogradNorOptimisers() {
    noClasses()
        .that()
        .resideInAPackage("dev.cria.nn")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.cria.autograd", "dev.cria.optim", "dev.cria.safetensors")
        .check(CORE);
    noClasses()
        .that()
        .resideInAPackage("dev.cria.autograd")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.cria.optim", "dev.cria.safetensors")
        .check(CORE);
  }

  @Test
  void jsonIsReadInSafetensorsOnly() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.cria.safetensors")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("tools.jackson..")
        .check(CORE);
  }
}
